// A server and a connection to it around what README.md says about TLS.
#include <future>
#include <iostream>
#include <rtmpkit.hpp>

int main()
try {
    rtmpkit::Engine engine;
    rtmpkit::Server server(engine);
    auto live = server.application("live");
    std::promise<std::string> outcome;
    bool said = false;
    rtmpkit::NetConnectionEvents events;
    events.on_status = [&](const rtmpkit::Status &status) {
        std::cerr << status.code << ": " << status.description << std::endl;
        if (!said) outcome.set_value(status.code == "NetConnection.Connect.Success" ? "connected" : "failed");
        said = true;
    };
@SERVING@
@CONNECTING@
    std::cout << outcome.get_future().get() << std::endl;
    engine.close();
    engine.join();
} catch (const rtmpkit::Error &error) {
    std::cerr << error.what() << std::endl;
    return 1;
}
