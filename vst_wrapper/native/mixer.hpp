// From what is due to what is heard: gains, dry/wet and bypass, each changing without a click.
#pragma once

#include <array>

#include "parameters.hpp"
#include "timeline.hpp"

namespace streamsep {

// A value on its way to another, in a straight line.
class Ramp {
public:
    void jump(float value) { value_ = target_ = value; left_ = 0; }

    void aim(float target, int samples);

    float next() {
        if (left_ > 0) {
            --left_;
            value_ = left_ == 0 ? target_ : value_ + step_;
        }
        return value_;
    }

    float target() const { return target_; }

private:
    float value_ = 0.0f;
    float target_ = 0.0f;
    float step_ = 0.0f;
    int left_ = 0;
};

// Where the outputs go: the main one and a stereo one for each stem; nullptr is not heard.
struct Outputs {
    std::array<float*, kPluginChannels> main{};
    std::array<std::array<float*, kPluginChannels>, kStems> stems{};
};

// Real-time: no lock, no allocation, no system call, once made.
class Mixer {
public:
    explicit Mixer(double sample_rate);

    // Take over the parameters at once, or from now on.
    void jump(const ParameterValues& values);
    void aim(const ParameterValues& values);

    // Mix `length` samples of `channels` channels. A mono mixture goes to both sides of a stereo
    // output.
    void mix(const PlayedBlock& played, int channels, int length, const Outputs& out);

private:
    const int ramp_samples_;
    std::array<Ramp, kStems> gains_;
    Ramp wet_;
    Ramp bypass_;
};

}  // namespace streamsep
