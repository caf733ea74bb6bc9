// TLS and tunnels from C++: what is published by them comes out, certificates are verified, and can be renewed.
#include "harness.hpp"

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <unistd.h>

namespace {

std::string contents(const std::string &path) {
  std::ifstream file(path);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

// A certificate for 127.0.0.1 that issued itself, in files that go with it.
class Identity {
public:
  explicit Identity(const std::string &name) {
    char folder[] = "/tmp/rtmpkit-tls-XXXXXX";
    CHECK(mkdtemp(folder) != nullptr);
    folder_ = folder;
    const std::string command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=" + name +
                                " -addext subjectAltName=IP:127.0.0.1 -addext basicConstraints=critical,CA:FALSE"
                                " -keyout " + key() + " -out " + chain() + " 2>/dev/null";
    CHECK(std::system(command.c_str()) == 0);
  }
  Identity(const Identity &) = delete;
  Identity &operator=(const Identity &) = delete;
  ~Identity() {
    unlink(chain().c_str());
    unlink(key().c_str());
    CHECK(rmdir(folder_.c_str()) == 0);
  }
  std::string chain() const { return folder_ + "/chain.pem"; }
  std::string key() const { return folder_ + "/key.pem"; }

private:
  std::string folder_;
};

rtmpkit::ApplicationEvents telling_who_connects(Mail &mail) {
  rtmpkit::ApplicationEvents events;
  events.on_connect = [&mail](rtmpkit::Request request, rtmpkit::Client client) {
    mail.put(std::string(client.info().protocol) + (client.info().secure ? " secure" : " open"));
    request.accept();
  };
  return events;
}

// Connects, trusting whom `authorities` names; texts are the codes, and why it failed.
std::unique_ptr<rtmpkit::NetConnection> connect_by(Served &served, const std::string &authorities, Mail &mail) {
  auto config = rtmpkit::defaults(rtmpkit_net_connection_config_init);
  config.tls_authorities = authorities.empty() ? nullptr : authorities.c_str();
  rtmpkit::NetConnectionEvents events;
  events.on_status = [&mail](const rtmpkit::Status &status) {
    mail.put(status.code);
    if (status.code == "NetConnection.Connect.Failed") mail.put(status.description);
  };
  auto connection = std::make_unique<rtmpkit::NetConnection>(served.engine, std::move(events), config);
  connection->connect(served.url);
  return connection;
}

rtmpkit::NetStreamEvents telling(Mail &mail, const std::string &awaited) {
  rtmpkit::NetStreamEvents events;
  events.on_status = [&mail, awaited](const rtmpkit::Status &status) {
    if (status.code == awaited) mail.put(status.code);
  };
  events.on_media = [&mail](const rtmpkit::Media &media) {
    if (media.type == RTMPKIT_MEDIA_AUDIO) mail.put(std::string(media.body + 2, media.body + media.body_len));
  };
  return events;
}

void p17_p19_c13_c17_what_is_published_is_played_unchanged(const std::string &scheme, const Identity &identity) {
  Mail host, publisher, player, out, in;
  Served served(telling_who_connects(host));
  if (scheme != "rtmpt") {
    served.server.set_tls_files(identity.chain(), identity.key());
  }
  served.url = scheme + "://127.0.0.1:" + std::to_string(served.server.listen(scheme + "://127.0.0.1:0")) + "/live";
  const std::string authorities = contents(identity.chain());
  auto from = connect_by(served, authorities, publisher), to = connect_by(served, authorities, player);
  CHECK(publisher.next() == "NetConnection.Connect.Success" && player.next() == "NetConnection.Connect.Success");
  CHECK(host.next() == scheme + (scheme == "rtmpt" ? " open" : " secure"));

  auto published = from->stream(telling(out, "NetStream.Publish.Start"));
  published.publish("cam");
  CHECK(out.next() == "NetStream.Publish.Start");
  auto played = to->stream(telling(in, "NetStream.Play.Start"));
  played.play("cam");
  CHECK(in.next() == "NetStream.Play.Start");
  for (unsigned n = 0; n < 50; n++) {
    const std::string sound = "\xaf\x01sound " + std::to_string(n) + std::string(500, 'x');
    published.write(rtmpkit::Media::raw(RTMPKIT_MEDIA_AUDIO, n, sound.data(), sound.size()));
  }
  for (unsigned n = 0; n < 50; n++) CHECK(in.next() == "sound " + std::to_string(n) + std::string(500, 'x'));
  from.reset();
  to.reset();
}

void p17_certificates_are_verified_and_can_be_renewed(const Identity &first, const Identity &second) {
  Mail host, untrusting, old, refused, renewed;
  Served served(telling_who_connects(host));
  try {
    served.server.listen("rtmps://127.0.0.1:0");
    CHECK(false);
  } catch (const rtmpkit::Error &error) {
    CHECK(error.code() == RTMPKIT_ERR_TLS);
  }
  served.server.set_tls(
      {{contents(first.chain()), contents(first.key())}, {contents(second.chain()), contents(second.key())}});
  served.url = "rtmps://127.0.0.1:" + std::to_string(served.server.listen("rtmps://127.0.0.1:0")) + "/live";
  const auto fails = [&served](const std::string &authorities, Mail &mail) {
    auto connection = connect_by(served, authorities, mail);
    CHECK(mail.next() == "NetConnection.Connect.Failed");
    CHECK(mail.next().find("issuer that is not trusted") != std::string::npos);
  };
  fails("", untrusting);
  auto stays = connect_by(served, contents(first.chain()), old);
  CHECK(old.next() == "NetConnection.Connect.Success");
  served.server.set_tls_files(second.chain(), second.key());
  fails(contents(first.chain()), refused);
  auto fresh = connect_by(served, contents(second.chain()), renewed);
  CHECK(renewed.next() == "NetConnection.Connect.Success" && stays->is_connected());
  fresh.reset();
  stays.reset();
}

}  // namespace

int main() {
  try {
    const Identity first("first"), second("second");
    for (const char *scheme : {"rtmps", "rtmpt", "rtmpts"})
      p17_p19_c13_c17_what_is_published_is_played_unchanged(scheme, first);
    p17_certificates_are_verified_and_can_be_renewed(first, second);
  } catch (const std::exception &error) {
    std::printf("not expected: %s\n", error.what());
    failures++;
  }
  std::printf("%s: %d failures\n", rtmpkit::version().c_str(), failures.load());
  return failures != 0;
}
