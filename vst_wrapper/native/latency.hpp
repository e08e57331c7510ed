// How late the plugin is: decided by the host's settings and the preset alone, never by the engine.
//
//     latency = network + resampling + computing + collecting + block
//
// A host has to know the latency before there is an engine, and a song that is opened again must
// sound the same, with an engine or without. So the plugin declares what any engine can keep to and
// lets the engine have, as its budget, all that the exact terms of its WELCOME leave of it. A whole
// hop for computing is what lets a device serve as many live tracks as it has time for.
//
// Source for the hop: Liu and Layland, 1973, section 7: deadlines of one period suffice.
#pragma once

#include <array>
#include <cstdint>

namespace streamsep {

// A latency preset of configs/presets. The order is that of a parameter's choices, and permanent:
// new ones come last. Saved songs have the name.
struct LatencyPreset {
    const char* name;
    const char* title;
    std::int64_t hop;  // samples at the networks' rate of 44.1 kHz
    std::int64_t look_ahead;
};

constexpr std::array<LatencyPreset, 5> kPresets = {{
    {"instant", "Instant", 2048, 2048},
    {"stage", "Stage", 4096, 2048},
    {"live", "Live", 8192, 8192},
    {"studio", "Studio", 22528, 45056},
    {"lean", "Lean", 8192, 2048},
}};
constexpr int kDefaultPreset = 3;

// The network thread collects so many samples before it sends them, so that tiny blocks do not
// become as many messages.
constexpr int kLivePacket = 64;

// The part of it that an engine is given for computing and transport: the budget of HELLO.
std::int64_t computing_samples(int preset, double sample_rate);

// Samples by which the output of a preset lags behind the input.
std::int64_t latency_samples(int preset, double sample_rate, int longest_block);

}  // namespace streamsep
