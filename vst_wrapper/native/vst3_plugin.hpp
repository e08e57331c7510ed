// The plugin as VST3 knows it: one object that is component, audio processor and controller.
//
// VST3 is a binary interface: an object is a pointer to a pointer to a table of functions. Each of
// the three interfaces is a Facet, whose address is what hosts hold; the functions in its table get
// that address back as their first argument. The tables are in vst3_component.cpp,
// vst3_processor.cpp and vst3_controller.cpp.
#pragma once

#include <array>
#include <atomic>
#include <optional>

#include "stem_plugin.hpp"
#include "travesty/audio_processor.h"
#include "travesty/component.h"
#include "travesty/edit_controller.h"

namespace streamsep {

// Permanent: songs refer to it.
constexpr v3_tuid kClassId = V3_ID(0x9873D86F, 0x895345D4, 0xBFEE451E, 0x61082FF9);

constexpr int kOutputBuses = 1 + kStems;

class Vst3Plugin;

struct Facet {
    const void* table;
    Vst3Plugin* plugin;
};

// The plugin behind the first argument of an interface's function.
inline Vst3Plugin& plugin_of(void* self) { return *static_cast<Facet*>(self)->plugin; }

const v3_component_cpp& component_table();
const v3_audio_processor_cpp& processor_table();
const v3_edit_controller_cpp& controller_table();

// What all three begin with: query_interface, ref, unref.
v3_funknown unknown_table();

// What component and controller go on with: initialize, terminate.
v3_plugin_base base_table();

class Vst3Plugin {
public:
    Vst3Plugin();

    v3_result query(const v3_tuid iid, void** object);
    std::uint32_t ref() { return ++references_; }
    std::uint32_t unref();

    // Tell the host, once, if the latency that was chosen is not the one that plays. Only from
    // functions of the controller, as VST3 demands.
    void report_latency();

    // What is activated has the latency that was chosen.
    void forget_reported_latency() { reported_preset_.reset(); }

    // Tell the host to read all parameters again. The same holds.
    void report_values();

    void set_handler(v3_component_handler** handler);

    // Speakers of the buses: none, mono or stereo.
    v3_speaker_arrangement input_speakers = V3_SPEAKER_L | V3_SPEAKER_R;
    std::array<v3_speaker_arrangement, kOutputBuses> output_speakers;

    StemPlugin stems;
    ParameterChanges changes;  // of the block that is being processed
    bool active = false;

private:
    ~Vst3Plugin();

    std::atomic<std::uint32_t> references_{1};
    v3_component_handler** handler_ = nullptr;
    std::optional<int> reported_preset_;  // the last one that the host was told of
    Facet component_{&component_table(), this};
    Facet processor_{&processor_table(), this};
    Facet controller_{&controller_table(), this};
};

// The whole of a stream's rest; false if it cannot be read or is larger than a state ever is.
bool read_stream(v3_bstream** stream, std::string& text);

}  // namespace streamsep
