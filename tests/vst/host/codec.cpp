// Reads messages with the plugin's own code and says what it read; writes messages as bytes.
//
//     codec read FILE     the engine's message in a file of a header and a body
//     codec write NAME    the bytes of a client's message of tests/data/protocol
#include <fstream>
#include <iostream>
#include <iterator>

#include "protocol.hpp"

namespace protocol = streamsep::protocol;
using streamsep::Bytes;

namespace {

void say(const protocol::Welcome& welcome) {
    std::cout << "WELCOME " << welcome.stream << ' ' << welcome.engine << '|' << welcome.model;
    for (const auto& stem : welcome.stems) std::cout << '|' << stem;
    std::cout << ' ' << welcome.sample_rate << ' ' << welcome.channels << ' ' << welcome.preset
              << ' ' << welcome.consistency << ' ' << welcome.network_latency << ' '
              << welcome.resampling_latency << ' ' << welcome.budget << ' ' << welcome.window << ' '
              << welcome.heartbeat_ms << ' ' << welcome.timeout_ms;
}

void say(const protocol::Stems& stems) {
    const protocol::Header& header = stems.header;
    std::cout << "STEMS " << header.stream << ' ' << header.epoch << ' ' << header.sequence << ' '
              << header.position << ' ' << header.stems << 'x' << header.channels << 'x'
              << header.samples << (stems.end ? " end" : "")
              << (stems.substituted ? " substituted" : "");
    for (const float value : stems.samples) std::cout << ' ' << value;
}

void say(const protocol::Pong& pong) {
    std::cout << "PONG " << pong.stream << ' ' << pong.sequence << (pong.busy ? " busy" : "");
}

void say(const protocol::Error& error) {
    std::cout << "ERROR " << error.stream << ' ' << error.code << ' ' << error.text;
}

void say(const protocol::Bye& bye) { std::cout << "BYE " << bye.stream << ' ' << bye.reason; }

int read(const char* path) {
    std::ifstream file(path, std::ios::binary);
    const std::string data(std::istreambuf_iterator<char>(file), {});
    const auto cut = data.begin() + std::min<std::ptrdiff_t>(protocol::kHeaderSize,
                                                            static_cast<std::ptrdiff_t>(data.size()));
    try {
        const auto message = protocol::read({Bytes(data.begin(), cut), Bytes(cut, data.end())});
        std::visit([](const auto& each) { say(each); }, message);
    } catch (const streamsep::RemoteError& error) {
        std::cout << "refused: " << error.what();
    }
    return 0;
}

protocol::Header header_of(protocol::Kind kind, std::uint32_t stream) {
    protocol::Header header;
    header.kind = kind;
    header.stream = stream;
    return header;
}

protocol::Frames audio() {
    protocol::Header header = header_of(protocol::Kind::Audio, 0x01020304);
    header.epoch = 1;
    header.sequence = 2;
    header.position = std::uint64_t{1} << 40;
    header.samples = 3;
    header.stems = 1;
    header.channels = 2;
    return protocol::write_audio(header, {0.0f, 0.5f, -1.0f, 1e-20f, -0.0f, 1.5f});
}

protocol::Frames message(const std::string& name) {
    using protocol::Kind;
    using protocol::Mode;
    if (name == "hello") {
        return protocol::write(
            protocol::Hello{"a plugin", Mode::Live, 48'000, 2, 512, "live", "other", 2'400});
    }
    if (name == "hello-offline") {
        return protocol::write(protocol::Hello{"", Mode::Offline, 44'100, 1, 65'536, "", "", 0});
    }
    if (name == "audio") return audio();
    if (name == "bye") return protocol::write(protocol::Bye{7, "the engine stops"});
    if (name == "flush") return protocol::write(header_of(Kind::Flush, 7));
    if (name == "ping") {
        protocol::Header ping = header_of(Kind::Ping, 7);
        ping.sequence = 41;
        return protocol::write(ping);
    }
    protocol::Header reset = header_of(Kind::Reset, 7);
    reset.epoch = 1;
    reset.position = 123'456'789'012;
    return protocol::write(reset);
}

int write(const std::string& name) {
    const protocol::Frames frames = message(name);
    for (const Bytes& frame : {frames.header, frames.body}) {
        std::cout.write(reinterpret_cast<const char*>(frame.data()),
                        static_cast<std::streamsize>(frame.size()));
    }
    return 0;
}

}  // namespace

int main(int count, char** arguments) {
    if (count != 3) return 2;
    return std::string(arguments[1]) == "read" ? read(arguments[2]) : write(arguments[2]);
}
