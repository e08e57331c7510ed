#include "protocol.hpp"

#include <algorithm>
#include <cstring>
#include <set>

#include "text_fields.hpp"

namespace streamsep::protocol {
namespace {

constexpr std::array<char, 4> kMagic = {'S', 'S', 'E', 'P'};
constexpr long long kHighestRate = 768'000;
constexpr long long kLongestDelay = 1LL << 31;
constexpr std::uint16_t kInternal = 8;

Bytes to_bytes(const std::string& text) { return Bytes(text.begin(), text.end()); }

Bytes packed(const Header& header) {
    const auto bytes = pack(header);
    return Bytes(bytes.begin(), bytes.end());
}

Frames text_message(const Header& header, const TextFields& fields) {
    return {packed(header), to_bytes(fields.format())};
}

TextFields fields_of(const Bytes& body) {
    if (body.size() > kLargestText) {
        throw RemoteError("fields of " + std::to_string(body.size()) + " bytes, at most " +
                          std::to_string(kLargestText) + " allowed");
    }
    return TextFields::parse({reinterpret_cast<const char*>(body.data()), body.size()});
}

std::vector<std::string> split_names(const std::string& list) {
    std::vector<std::string> names;
    for (std::size_t start = 0; start <= list.size();) {
        const std::size_t end = std::min(list.find(',', start), list.size());
        names.push_back(list.substr(start, end - start));
        start = end + 1;
    }
    const bool unique = std::set<std::string>(names.begin(), names.end()).size() == names.size();
    const bool named = std::none_of(names.begin(), names.end(),
                                    [](const std::string& name) { return name.empty(); });
    if (names.size() > kMostStems || !unique || !named) {
        throw RemoteError("no list of stems: " + one_line(list));
    }
    return names;
}

Welcome read_welcome(const Header& header, const Bytes& body) {
    if (header.stream == 0) throw RemoteError("WELCOME gives the session no number");
    const TextFields fields = fields_of(body);
    const auto number = [&](const char* name, long long lowest, long long highest) {
        return static_cast<std::uint32_t>(fields.number(name, lowest, highest));
    };
    Welcome welcome;
    welcome.stream = header.stream;
    welcome.engine = fields.text("engine");
    welcome.model = fields.text("model");
    welcome.stems = split_names(fields.text("stems"));
    welcome.sample_rate = number("sample_rate", 1, kHighestRate);
    welcome.channels = static_cast<std::uint16_t>(number("channels", 1, kMostChannels));
    welcome.preset = fields.text("preset");
    welcome.consistency = fields.text("consistency");
    welcome.network_latency = number("network_latency", 0, kLongestDelay);
    welcome.resampling_latency = number("resampling_latency", 0, kLongestDelay);
    welcome.budget = number("budget", 0, kLongestDelay);
    welcome.window = number("window", 1, kLongestDelay);
    welcome.heartbeat_ms = number("heartbeat_ms", 1, 60'000);
    welcome.timeout_ms = number("timeout_ms", 1, 600'000);
    return welcome;
}

Stems read_stems(const Header& header, const Bytes& body) {
    if (header.stems < 1 || header.stems > kMostStems || header.channels < 1 ||
        header.channels > kMostChannels || header.samples > kLongestBlock) {
        throw RemoteError("STEMS of an impossible shape");
    }
    const std::size_t count = std::size_t{header.stems} * header.channels * header.samples;
    if (body.size() != sizeof(float) * count) {
        throw RemoteError("STEMS announce " + std::to_string(sizeof(float) * count) +
                          " bytes, got " + std::to_string(body.size()));
    }
    Stems stems;
    stems.header = header;
    stems.end = (header.flags & kFlagEnd) != 0;
    stems.substituted = (header.flags & kFlagSubstituted) != 0;
    stems.samples.resize(count);
    for (std::size_t k = 0; k < count; ++k) {
        const auto bits = get_little<std::uint32_t>(body.data() + 4 * k);
        std::memcpy(&stems.samples[k], &bits, sizeof(float));
    }
    return stems;
}

}  // namespace

std::array<std::uint8_t, kHeaderSize> pack(const Header& header) {
    std::array<std::uint8_t, kHeaderSize> bytes{};
    std::copy(kMagic.begin(), kMagic.end(), bytes.begin());
    bytes[4] = kVersion;
    bytes[5] = static_cast<std::uint8_t>(header.kind);
    put_little(&bytes[6], header.flags);
    put_little(&bytes[8], header.stream);
    put_little(&bytes[12], header.epoch);
    put_little(&bytes[16], header.sequence);
    put_little(&bytes[24], header.position);
    put_little(&bytes[32], header.samples);
    put_little(&bytes[36], header.stems);
    put_little(&bytes[38], header.channels);
    return bytes;
}

Header unpack(const Bytes& frame) {
    if (frame.size() != kHeaderSize) {
        throw RemoteError("expected a header of 40 bytes, got a frame of " +
                          std::to_string(frame.size()));
    }
    if (!std::equal(kMagic.begin(), kMagic.end(), frame.begin())) {
        throw RemoteError("got a message that does not start with SSEP");
    }
    if (frame[4] != kVersion) {
        throw RemoteError("the engine speaks version " + std::to_string(frame[4]) +
                          " of the protocol, this plugin version 1; update the older side");
    }
    Header header;
    header.kind = static_cast<Kind>(frame[5]);
    header.flags = get_little<std::uint16_t>(&frame[6]);
    header.stream = get_little<std::uint32_t>(&frame[8]);
    header.epoch = get_little<std::uint32_t>(&frame[12]);
    header.sequence = get_little<std::uint64_t>(&frame[16]);
    header.position = get_little<std::uint64_t>(&frame[24]);
    header.samples = get_little<std::uint32_t>(&frame[32]);
    header.stems = get_little<std::uint16_t>(&frame[36]);
    header.channels = get_little<std::uint16_t>(&frame[38]);
    if (header.position > kHighestPosition) throw RemoteError("a position beyond 2^62 - 1");
    return header;
}

Frames write(const Hello& hello) {
    TextFields fields;
    fields.add("client", hello.client);
    fields.add("mode", hello.mode == Mode::Live ? "live" : "offline");
    fields.add("sample_rate", hello.sample_rate);
    fields.add("channels", hello.channels);
    fields.add("block", hello.block);
    fields.add("preset", hello.preset);
    fields.add("consistency", hello.consistency);
    fields.add("budget", hello.budget);
    Header header;
    header.kind = Kind::Hello;
    return text_message(header, fields);
}

Frames write(const Bye& bye) {
    TextFields fields;
    fields.add("reason", one_line(bye.reason));
    Header header;
    header.kind = Kind::Bye;
    header.stream = bye.stream;
    return text_message(header, fields);
}

Frames write(const Header& header) { return {packed(header), {}}; }

Frames write_audio(const Header& header, const std::vector<float>& samples) {
    Bytes body(sizeof(float) * samples.size());
    for (std::size_t k = 0; k < samples.size(); ++k) {
        std::uint32_t bits;
        std::memcpy(&bits, &samples[k], sizeof(bits));
        put_little(body.data() + 4 * k, bits);
    }
    return {packed(header), std::move(body)};
}

FromEngine read(const std::vector<Bytes>& frames) {
    if (frames.size() != 2) {
        throw RemoteError("expected a message of 2 frames, got " + std::to_string(frames.size()));
    }
    const Header header = unpack(frames[0]);
    const Bytes& body = frames[1];
    if (header.kind != Kind::Stems && (header.samples || header.stems || header.channels)) {
        throw RemoteError("a message without samples says that it has some");
    }
    switch (header.kind) {
        case Kind::Welcome:
            return read_welcome(header, body);
        case Kind::Stems:
            return read_stems(header, body);
        case Kind::Pong:
            return Pong{header.stream, header.sequence, (header.flags & kFlagBusy) != 0};
        case Kind::Error: {
            const bool known = header.flags >= 1 && header.flags <= kInternal;
            return Error{header.stream, known ? header.flags : kInternal,
                         fields_of(body).text("text")};
        }
        case Kind::Bye: {
            const TextFields fields = fields_of(body);
            const std::string* reason = fields.find("reason");
            return Bye{header.stream, reason == nullptr ? "" : *reason};
        }
        default:
            throw RemoteError("an engine does not send messages of the type " +
                              std::to_string(static_cast<int>(header.kind)));
    }
}

}  // namespace streamsep::protocol
