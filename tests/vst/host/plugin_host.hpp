// One plugin, hosted: loaded, set up, given blocks of a mixture, its five outputs recorded.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "audit.hpp"
#include "host_objects.hpp"
#include "travesty/component.h"
#include "travesty/factory.h"

namespace host {

constexpr int kBuses = 5;
constexpr int kSides = 2;

// How the buffers of a block are handed over.
struct Handling {
    bool in_place = false;     // the main output's buffers are the input's
    bool null_buses = false;   // stems' buffers are null pointers
    bool no_outputs = false;   // there are no output buses at all
    bool no_input = false;     // nor input buses
    bool paced = false;        // as fast as a sound card would play
};

class PluginHost {
public:
    explicit PluginHost(const std::string& binary);
    ~PluginHost();
    PluginHost(const PluginHost&) = delete;
    PluginHost& operator=(const PluginHost&) = delete;

    void set_up(double rate, int longest_block, int mode, int channels);
    void set_active(bool state);
    void set_processing(bool state);
    unsigned latency();
    unsigned tail();
    std::string state();
    bool restore(const std::string& state);
    void set_parameter(unsigned id, double value);
    double parameter(unsigned id);
    int parameters();

    // Process `length` samples of the input, zeros beyond its end.
    void process(int length, int mode, const Handling& handling);
    void queue(const Point& point) { changes_.queues.emplace_back(point); }

    std::vector<std::vector<float>> input;             // [C][T]
    std::array<std::vector<float>, kBuses * kSides> recorded;
    std::size_t position = 0;
    audit::Counts worst;  // of any one call of process
    Handler handler;

private:
    void* library_ = nullptr;
    v3_component** component_ = nullptr;
    v3_audio_processor** processor_ = nullptr;
    v3_edit_controller** controller_ = nullptr;
    double rate_ = 44'100.0;
    int channels_ = 2;
    bool active_ = false;
    Changes changes_;
};

// Throws std::runtime_error if a condition of the host does not hold.
void require(bool condition, const std::string& what);

}  // namespace host
