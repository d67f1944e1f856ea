#pragma once

#include <stdio.h>
#include <sys/wait.h>

#include <string>

namespace escan {

// How a command ended.
struct Ended {
  int exit_status = -1;  // -1: by a signal
  std::string output;    // what it wrote to standard output
};

// Runs a command line and waits for its end.
inline Ended RunShell(const std::string& command) {
  FILE* pipe = popen(command.c_str(), "re");
  Ended ended;
  char block[4096];
  size_t count;
  while ((count = fread(block, 1, sizeof(block), pipe)) > 0) ended.output.append(block, count);
  const int status = pclose(pipe);
  if (WIFEXITED(status)) ended.exit_status = WEXITSTATUS(status);
  return ended;
}

}  // namespace escan
