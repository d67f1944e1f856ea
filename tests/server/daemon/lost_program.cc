// A program that needs a library which the loader does not find without help.
int LostLibrary();

int main() { return LostLibrary(); }
