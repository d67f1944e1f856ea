// Stands in for NVIDIA's nvidia-cuda-mps-control: the daemon (-f), and the program that sends it
// the commands of its standard input. What tests tell it lies in the folder that holds the pipe
// directory:
//
//   clients   process ids of the daemon's clients; with any, it starts a server when it is asked
//   mode      one of: hang, hang-terminate (the program does not end); garbage (the program prints
//             nonsense); flood (without end); refuse-terminate, ignore-quit (the daemon does not);
//             fail (the daemon ends at its start); silent (the daemon never answers); ignore-term
//             (a daemon that starts ignores SIGTERM)
//
// and what it tells them in `commands`, a line each: "start VISIBLE_DEVICES", then every command
// that reached the daemon, terminate_client with "alive" or "dead", as the client was then.

#include <spawn.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>

namespace {

namespace fs = std::filesystem;

constexpr unsigned kLifetime = 110;  // seconds; nothing outlives a test that went wrong

std::string Variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

fs::path PipeDirectory() { return Variable("CUDA_MPS_PIPE_DIRECTORY"); }
fs::path State() { return PipeDirectory().parent_path(); }

// Empty when it cannot be read, as the file of a process that ends meanwhile.
std::string ReadFile(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

void Log(const std::string& line) {
  std::ofstream(State() / "commands", std::ios::app) << line + "\n";
}

sockaddr_un Address() {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, (PipeDirectory() / "control").c_str(),
               sizeof(address.sun_path) - 1);
  return address;
}

bool Alive(const std::string& pid) {
  const std::string stat = ReadFile("/proc/" + pid + "/stat");
  const size_t state = stat.rfind(") ");
  return state != std::string::npos && stat[state + 2] != 'Z';
}

class Daemon {
 public:
  int Run() {
    const sockaddr_un address = Address();
    const int listener = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (::bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
      std::cout << "An instance of this daemon is already running" << std::endl;
      return 1;
    }
    std::ofstream(PipeDirectory() / "nvidia-cuda-mps-control.pid") << ::getpid() << "\n";
    Log("start " + Variable("CUDA_VISIBLE_DEVICES"));
    ::listen(listener, 16);
    while (!quit_) {
      const int connection = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
      char command[256];
      const ssize_t size = ::read(connection, command, sizeof(command));
      if (size > 0) {
        const std::string answer = Answer({command, static_cast<size_t>(size)});
        ::send(connection, answer.data(), answer.size(), MSG_NOSIGNAL);
      }
      ::close(connection);
    }
    return 0;
  }

 private:
  std::string Answer(const std::string& line) {
    std::istringstream words(line);
    std::string command;
    std::string server;
    std::string client;
    words >> command >> server >> client;
    if (command == "terminate_client") {
      Log(line + (Alive(client) ? " alive" : " dead"));
      return ReadFile(State() / "mode") == "refuse-terminate" ? "Client not found\n" : "0\n";
    }
    Log(line);
    if (command == "get_server_list") return ServerList();
    if (command == "get_client_list") return ReadFile(State() / "clients");
    if (command == "quit") Quit();
    return "";
  }

  std::string ServerList() {
    if (server_ == 0 && ReadFile(State() / "clients").empty()) return "";
    if (server_ == 0) StartServer();
    return std::to_string(server_) + "\n";
  }

  void StartServer() {
    char name[] = "nvidia-cuda-mps-server";
    char* arguments[] = {name, nullptr};
    if (::posix_spawn(&server_, "/proc/self/exe", nullptr, nullptr, arguments, environ) != 0) {
      std::abort();
    }
  }

  void Quit() {
    if (ReadFile(State() / "mode") == "ignore-quit") return;
    if (server_ != 0) {
      ::kill(server_, SIGTERM);
      ::waitpid(server_, nullptr, 0);
    }
    quit_ = true;
  }

  pid_t server_ = 0;
  bool quit_ = false;
};

int RunCommands() {
  const std::string mode = ReadFile(State() / "mode");
  for (std::string line; std::getline(std::cin, line);) {
    if (mode == "hang" || (mode == "hang-terminate" && line.starts_with("terminate"))) ::pause();
    if (mode == "garbage") std::cout << "%$ garbage" << std::endl;
    while (mode == "flood") std::cout << std::string(4096, 'x') << std::flush;
    if (mode == "garbage") continue;
    const sockaddr_un address = Address();
    const int connection = ::socket(AF_UNIX, SOCK_STREAM, 0);
    if (::connect(connection, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
      std::cout << "Cannot find MPS control daemon process" << std::endl;
      return 1;
    }
    ::send(connection, line.data(), line.size(), MSG_NOSIGNAL);
    char answer[4096];
    for (ssize_t size; (size = ::read(connection, answer, sizeof(answer))) > 0;) {
      std::cout.write(answer, size);
    }
    ::close(connection);
  }
  return 0;
}

}  // namespace

int main(int count, char** arguments) {
  ::alarm(kLifetime);
  if (fs::path(arguments[0]).filename() == "nvidia-cuda-mps-server") return ::pause();
  if (count < 2) return RunCommands();
  const std::string mode = ReadFile(State() / "mode");
  if (mode == "fail") {
    std::cerr << "no GPU was found" << std::endl;
    return 3;
  }
  if (mode == "silent") return ::pause();
  if (mode == "ignore-term") ::signal(SIGTERM, SIG_IGN);
  return Daemon().Run();
}
