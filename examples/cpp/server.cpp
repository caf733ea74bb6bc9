// A server that accepts every application, publisher and player:
//   server --listen HOST:PORT [--listen HOST:PORT ...] [--workers N]
#include <chrono>
#include <thread>

#include "example.hpp"

static int serve(const std::vector<std::string> &addresses, unsigned workers) {
  rtmpkit::Engine engine(workers, [](int, std::string_view target, std::string_view message) {
    std::cerr << target << ": " << message << std::endl;
  });
  rtmpkit::Server server(engine);
  // No events: everything is accepted. Give on_connect, on_publish and on_play to decide.
  auto application = server.application("*");
  for (const auto &address : addresses) server.listen(address);
  std::cout << "listening on";
  for (const auto &address : addresses) std::cout << " rtmp://" << address;
  std::cout << std::endl;
  while (!stopped) std::this_thread::sleep_for(std::chrono::milliseconds(100));
  server.close();
  engine.close();
  return engine.join(5000) ? 0 : 1;
}

int main(int argc, char **argv) {
  std::vector<std::string> addresses;
  unsigned workers = 0;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string option = argv[i];
    if (option == "--listen") addresses.emplace_back(argv[i + 1]);
    if (option == "--workers") workers = static_cast<unsigned>(std::strtoul(argv[i + 1], nullptr, 10));
  }
  if (addresses.empty() || argc % 2 == 0) {
    std::cerr << "usage: server --listen HOST:PORT [--listen HOST:PORT ...] [--workers N]\n";
    return 2;
  }
  stop_on_signals();
  return run([&] { return serve(addresses, workers); });
}
