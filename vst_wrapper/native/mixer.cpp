#include "mixer.hpp"

#include <cmath>

namespace streamsep {
namespace {

constexpr double kRampSeconds = 0.01;

float bypass_of(const ParameterValues& values) { return values.is_on(kBypass) ? 1.0f : 0.0f; }

float wet_of(const ParameterValues& values) { return static_cast<float>(values.by_id(kMix)); }

}  // namespace

void Ramp::aim(float target, int samples) {
    if (target == target_) return;
    target_ = target;
    left_ = samples;
    step_ = (target - value_) / static_cast<float>(samples);
}

Mixer::Mixer(double sample_rate)
    : ramp_samples_(static_cast<int>(std::ceil(kRampSeconds * sample_rate))) {}

void Mixer::jump(const ParameterValues& values) {
    for (std::size_t s = 0; s < kStems; ++s) gains_[s].jump(values.stem_gain(static_cast<int>(s)));
    wet_.jump(wet_of(values));
    bypass_.jump(bypass_of(values));
}

void Mixer::aim(const ParameterValues& values) {
    for (std::size_t s = 0; s < kStems; ++s) {
        gains_[s].aim(values.stem_gain(static_cast<int>(s)), ramp_samples_);
    }
    wet_.aim(wet_of(values), ramp_samples_);
    bypass_.aim(bypass_of(values), ramp_samples_);
}

void Mixer::mix(const PlayedBlock& played, int channels, int length, const Outputs& out) {
    for (int k = 0; k < length; ++k) {
        std::array<float, kStems> gains;
        for (std::size_t s = 0; s < kStems; ++s) gains[s] = gains_[s].next();
        const float wet = wet_.next();
        const float heard = 1.0f - bypass_.next();
        for (std::size_t side = 0; side < kPluginChannels; ++side) {
            const std::size_t c = channels == 1 ? 0 : side;
            float sum = 0.0f;
            for (std::size_t s = 0; s < kStems; ++s) {
                const float stem = played.stems[s][c][k];
                sum += gains[s] * stem;
                if (out.stems[s][side] != nullptr) out.stems[s][side][k] = heard * stem;
            }
            const float dry = played.mixture[c][k];
            const float mixed = wet == 1.0f ? sum : wet * sum + (1.0f - wet) * dry;
            if (out.main[side] == nullptr) continue;
            out.main[side][k] = heard == 1.0f ? mixed : heard * mixed + (1.0f - heard) * dry;
        }
    }
}

}  // namespace streamsep
