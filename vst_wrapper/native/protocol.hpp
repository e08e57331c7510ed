// What the engine and its clients say to each other: docs/protocol.md, version 1, in C++.
//
// Bytes go in and come out; who carries them is the subject of engine_socket.hpp. Reading trusts
// nobody: whatever arrives becomes a message whose fields are within their limits, or RemoteError.
#pragma once

#include <array>
#include <string>
#include <utility>
#include <variant>

#include "bytes.hpp"
#include "remote_error.hpp"

namespace streamsep::protocol {

constexpr std::uint8_t kVersion = 1;
constexpr std::size_t kHeaderSize = 40;
constexpr std::size_t kLargestText = 4096;
constexpr std::size_t kLargestBody = 4 * 1024 * 1024;
constexpr std::uint32_t kLongestBlock = 65'536;
constexpr std::uint16_t kMostChannels = 32;
constexpr std::uint16_t kMostStems = 16;
constexpr std::uint64_t kHighestPosition = (std::uint64_t{1} << 62) - 1;

enum class Kind : std::uint8_t {
    Hello = 1,
    Welcome,
    Audio,
    Stems,
    Flush,
    Reset,
    Ping,
    Pong,
    Error,
    Bye,
};

constexpr std::uint16_t kFlagEnd = 1;          // of STEMS
constexpr std::uint16_t kFlagSubstituted = 2;  // of STEMS
constexpr std::uint16_t kFlagBusy = 1;         // of PONG

// The first frame of every message.
struct Header {
    Kind kind{};
    std::uint16_t flags = 0;
    std::uint32_t stream = 0;
    std::uint32_t epoch = 0;
    std::uint64_t sequence = 0;
    std::uint64_t position = 0;
    std::uint32_t samples = 0;
    std::uint16_t stems = 0;
    std::uint16_t channels = 0;
};

// A message as it travels.
struct Frames {
    Bytes header;
    Bytes body;
};

enum class Mode { Live, Offline };

struct Hello {
    std::string client;
    Mode mode = Mode::Live;
    std::uint32_t sample_rate = 0;
    std::uint16_t channels = 0;
    std::uint32_t block = 0;
    std::string preset;
    std::string consistency;
    std::uint32_t budget = 0;
};

struct Welcome {
    std::uint32_t stream = 0;
    std::string engine;
    std::string model;
    std::vector<std::string> stems;
    std::uint32_t sample_rate = 0;
    std::uint16_t channels = 0;
    std::string preset;
    std::string consistency;
    std::uint32_t network_latency = 0;
    std::uint32_t resampling_latency = 0;
    std::uint32_t budget = 0;
    std::uint32_t window = 0;
    std::uint32_t heartbeat_ms = 0;
    std::uint32_t timeout_ms = 0;
};

// Samples [S, C, T], planar.
struct Stems {
    Header header;
    std::vector<float> samples;
    bool end = false;
    bool substituted = false;
};

struct Pong {
    std::uint32_t stream = 0;
    std::uint64_t sequence = 0;
    bool busy = false;
};

struct Error {
    std::uint32_t stream = 0;
    std::uint16_t code = 0;
    std::string text;
};

struct Bye {
    std::uint32_t stream = 0;
    std::string reason;
};

// Everything that an engine may say.
using FromEngine = std::variant<Welcome, Stems, Pong, Error, Bye>;

std::array<std::uint8_t, kHeaderSize> pack(const Header& header);

// Throws RemoteError unless these are forty bytes of this version's header.
Header unpack(const Bytes& frame);

Frames write(const Hello& hello);
Frames write(const Bye& bye);

// A message that is a header and nothing else: FLUSH, RESET, PING.
Frames write(const Header& header);

// AUDIO: `samples` are [C, T] as the header says.
Frames write_audio(const Header& header, const std::vector<float>& samples);

// Throws RemoteError unless the frames are a message that an engine may send.
FromEngine read(const std::vector<Bytes>& frames);

}  // namespace streamsep::protocol
