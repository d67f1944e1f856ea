// A library that the loader does not find without help.
int LostLibrary() { return 0; }
