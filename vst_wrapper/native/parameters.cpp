#include "parameters.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "latency.hpp"

namespace streamsep {
namespace {

constexpr double kLowestDb = -60.0;  // and silence
constexpr double kHighestDb = 12.0;
constexpr double kStepsPerDb = 10.0;
constexpr int kGainSteps = 720;
constexpr double kZeroDb = -kLowestDb / (kHighestDb - kLowestDb);
constexpr std::array<const char*, 3> kRenderModes = {"Auto", "Never wait", "Always wait"};

constexpr Parameter gain(std::uint32_t stem, const char* key, const char* title) {
    return {kGain + stem, key, title, "dB", ParameterKind::Decibels, kGainSteps, kZeroDb, true};
}

constexpr Parameter toggle(std::uint32_t id, const char* key, const char* title) {
    return {id, key, title, "", ParameterKind::Switch, 1, 0.0, true};
}

constexpr int kPresetSteps = static_cast<int>(kPresets.size()) - 1;

constexpr std::array<Parameter, kParameters> kTable = {{
    gain(0, "gain_drums", "Drums Gain"),
    gain(1, "gain_bass", "Bass Gain"),
    gain(2, "gain_other", "Other Gain"),
    gain(3, "gain_vocals", "Vocals Gain"),
    toggle(kMute + 0, "mute_drums", "Drums Mute"),
    toggle(kMute + 1, "mute_bass", "Bass Mute"),
    toggle(kMute + 2, "mute_other", "Other Mute"),
    toggle(kMute + 3, "mute_vocals", "Vocals Mute"),
    toggle(kSolo + 0, "solo_drums", "Drums Solo"),
    toggle(kSolo + 1, "solo_bass", "Bass Solo"),
    toggle(kSolo + 2, "solo_other", "Other Solo"),
    toggle(kSolo + 3, "solo_vocals", "Vocals Solo"),
    {kMix, "mix", "Dry/Wet", "%", ParameterKind::Percent, 1000, 1.0, true},
    toggle(kBypass, "bypass", "Bypass"),
    {kRender, "render", "Render Mode", "", ParameterKind::List, 2, 0.0, false},
    {kPreset, "preset", "Latency", "", ParameterKind::List, kPresetSteps,
     static_cast<double>(kDefaultPreset) / kPresetSteps, false},
}};

const char* choice_name(const Parameter& parameter, int choice) {
    const auto place = static_cast<std::size_t>(choice);
    return parameter.id == kRender ? kRenderModes[place] : kPresets[place].title;
}

}  // namespace

const std::array<Parameter, kParameters>& parameter_table() { return kTable; }

int parameter_index(std::uint32_t id) {
    for (std::size_t k = 0; k < kTable.size(); ++k) {
        if (kTable[k].id == id) return static_cast<int>(k);
    }
    return -1;
}

double to_plain(const Parameter& parameter, double normalised) {
    const double value = std::clamp(normalised, 0.0, 1.0);
    switch (parameter.kind) {
        case ParameterKind::Decibels:
            // In the steps that hosts are told of, so that 0 dB is exactly that however it was kept.
            return kLowestDb + std::round(value * parameter.steps) / kStepsPerDb;
        case ParameterKind::Percent:
            return 100.0 * value;
        default:
            return std::round(value * parameter.steps);
    }
}

double to_normalised(const Parameter& parameter, double plain) {
    double value = 0.0;
    switch (parameter.kind) {
        case ParameterKind::Decibels:
            value = (plain - kLowestDb) / (kHighestDb - kLowestDb);
            break;
        case ParameterKind::Percent:
            value = plain / 100.0;
            break;
        default:
            value = std::round(plain) / parameter.steps;
    }
    return std::clamp(value, 0.0, 1.0);
}

std::string to_text(const Parameter& parameter, double normalised) {
    const double plain = to_plain(parameter, normalised);
    switch (parameter.kind) {
        case ParameterKind::Switch:
            return plain >= 0.5 ? "On" : "Off";
        case ParameterKind::List:
            return choice_name(parameter, static_cast<int>(plain));
        default: {
            std::array<char, 32> text{};
            std::snprintf(text.data(), text.size(), "%.1f", plain);
            return text.data();
        }
    }
}

bool choose(const Parameter& parameter, const std::string& text, double& normalised) {
    const bool choice =
        parameter.kind == ParameterKind::List || parameter.kind == ParameterKind::Switch;
    for (int k = 0; choice && k <= parameter.steps; ++k) {
        const double value = static_cast<double>(k) / parameter.steps;
        if (to_text(parameter, value) == text) {
            normalised = value;
            return true;
        }
    }
    return false;
}

bool from_text(const Parameter& parameter, const std::string& text, double& normalised) {
    if (choose(parameter, text, normalised)) return true;
    char* end = nullptr;
    const double plain = std::strtod(text.c_str(), &end);
    if (end == text.c_str() || !std::isfinite(plain)) return false;
    normalised = to_normalised(parameter, plain);
    return true;
}

ParameterValues::ParameterValues() {
    for (std::size_t k = 0; k < kTable.size(); ++k) values_[k].store(kTable[k].initial);
}

void ParameterValues::set(int index, double normalised) {
    if (!std::isfinite(normalised)) return;
    values_[static_cast<std::size_t>(index)].store(std::clamp(normalised, 0.0, 1.0));
}

int ParameterValues::choice(std::uint32_t id) const {
    const int index = parameter_index(id);
    return static_cast<int>(to_plain(kTable[static_cast<std::size_t>(index)], get(index)));
}

float ParameterValues::stem_gain(int stem) const {
    const auto number = static_cast<std::uint32_t>(stem);
    bool any_solo = false;
    for (std::uint32_t k = 0; k < kStems; ++k) any_solo = any_solo || is_on(kSolo + k);
    if (is_on(kMute + number) || (any_solo && !is_on(kSolo + number))) return 0.0f;
    const double db = to_plain(kTable[number], by_id(kGain + number));
    return db <= kLowestDb ? 0.0f : static_cast<float>(std::pow(10.0, db / 20.0));
}

}  // namespace streamsep
