// The plugin's parameters: what a host sees, and what their values mean.
//
// A host knows values from 0 to 1 only. Ids are permanent: songs and automation refer to them.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string>

#include "timeline.hpp"

namespace streamsep {

enum ParameterId : std::uint32_t {
    kGain = 0,    // + stem
    kMute = 10,   // + stem
    kSolo = 20,   // + stem
    kMix = 30,    // dry/wet
    kBypass = 31,
    kRender = 32,
    kPreset = 33,
};

constexpr int kParameters = 3 * kStems + 4;

// When a block may wait for its stems.
enum class RenderMode { Auto, NeverWait, AlwaysWait };

enum class ParameterKind { Decibels, Percent, Switch, List };

struct Parameter {
    std::uint32_t id;
    const char* key;    // in the saved state, permanent
    const char* title;
    const char* units;
    ParameterKind kind;
    int steps;
    double initial;  // from 0 to 1
    bool automatable;
};

const std::array<Parameter, kParameters>& parameter_table();

// Index in the table, or -1.
int parameter_index(std::uint32_t id);

// Between what hosts hold and what people read: dB, percent, or the number of a choice.
double to_plain(const Parameter& parameter, double normalised);
double to_normalised(const Parameter& parameter, double plain);
std::string to_text(const Parameter& parameter, double normalised);

// The choice of that name; false, and nothing is changed, if there is none.
bool choose(const Parameter& parameter, const std::string& text, double& normalised);

// False if the text is no value of the parameter.
bool from_text(const Parameter& parameter, const std::string& text, double& normalised);

// The values, by index. Written and read by any thread.
class ParameterValues {
public:
    ParameterValues();

    double get(int index) const { return values_[static_cast<std::size_t>(index)].load(); }
    double by_id(std::uint32_t id) const { return get(parameter_index(id)); }

    // Values beyond 0 and 1 are brought back; what is no number is ignored.
    void set(int index, double normalised);

    int choice(std::uint32_t id) const;
    bool is_on(std::uint32_t id) const { return by_id(id) >= 0.5; }

    // What a stem is multiplied by in the main output.
    float stem_gain(int stem) const;

private:
    std::array<std::atomic<double>, kParameters> values_;
};

}  // namespace streamsep
