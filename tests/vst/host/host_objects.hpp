// What a VST3 host gives a plugin: streams, automation, a handler. All on the stack of the host.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "travesty/audio_processor.h"
#include "travesty/bstream.h"
#include "travesty/edit_controller.h"

namespace host {

inline v3_result V3_API no_interface(void*, const v3_tuid, void** object) {
    *object = nullptr;
    return V3_NO_INTERFACE;
}
inline std::uint32_t V3_API one(void*) { return 1; }

// An object is a pointer to a table of functions; `self` points at that pointer.
template <class Table>
struct Object {
    const Table* table;
};

struct StreamTable : v3_funknown {
    v3_bstream stream;
};

struct Stream : Object<StreamTable> {
    std::string data;
    std::size_t place = 0;

    explicit Stream(std::string content = "") : data(std::move(content)) {
        static const StreamTable functions = make();
        table = &functions;
    }

    v3_bstream** pointer() { return reinterpret_cast<v3_bstream**>(this); }

    static StreamTable make() {
        StreamTable functions{};
        static_cast<v3_funknown&>(functions) = {no_interface, one, one};
        functions.stream.read = [](void* self, void* buffer, std::int32_t size,
                                   std::int32_t* done) -> v3_result {
            auto& stream = *static_cast<Stream*>(self);
            // Small pieces: a plugin must not expect all at once.
            const auto count = std::min<std::size_t>({static_cast<std::size_t>(size), 100,
                                                      stream.data.size() - stream.place});
            std::memcpy(buffer, stream.data.data() + stream.place, count);
            stream.place += count;
            *done = static_cast<std::int32_t>(count);
            return V3_OK;
        };
        functions.stream.write = [](void* self, void* buffer, std::int32_t size,
                                    std::int32_t* done) -> v3_result {
            static_cast<Stream*>(self)->data.append(static_cast<const char*>(buffer),
                                                    static_cast<std::size_t>(size));
            *done = size;
            return V3_OK;
        };
        return functions;
    }
};

struct Point {
    v3_param_id id;
    std::int32_t offset;
    double value;
};

// One point of automation as a queue of its own; hosts may have several for one parameter.
struct Queue : Object<v3_param_value_queue_cpp> {
    Point point{};

    explicit Queue(const Point& single) : point(single) {
        static const v3_param_value_queue_cpp functions = make();
        table = &functions;
    }

    static v3_param_value_queue_cpp make() {
        v3_param_value_queue_cpp functions{};
        static_cast<v3_funknown&>(functions) = {no_interface, one, one};
        functions.queue.get_param_id = [](void* self) { return static_cast<Queue*>(self)->point.id; };
        functions.queue.get_point_count = [](void*) -> std::int32_t { return 1; };
        functions.queue.get_point = [](void* self, std::int32_t, std::int32_t* offset,
                                       double* value) -> v3_result {
            *offset = static_cast<Queue*>(self)->point.offset;
            *value = static_cast<Queue*>(self)->point.value;
            return V3_OK;
        };
        return functions;
    }
};

struct Changes : Object<v3_param_changes_cpp> {
    std::vector<Queue> queues;

    Changes() {
        static const v3_param_changes_cpp functions = make();
        table = &functions;
    }

    static v3_param_changes_cpp make() {
        v3_param_changes_cpp functions{};
        static_cast<v3_funknown&>(functions) = {no_interface, one, one};
        functions.changes.get_param_count = [](void* self) {
            return static_cast<std::int32_t>(static_cast<Changes*>(self)->queues.size());
        };
        functions.changes.get_param_data = [](void* self, std::int32_t index) {
            auto& queue = static_cast<Changes*>(self)->queues[static_cast<std::size_t>(index)];
            return reinterpret_cast<v3_param_value_queue**>(&queue);
        };
        return functions;
    }
};

struct HandlerTable : v3_funknown {
    v3_component_handler handler;
};

// Counts how often the plugin asks for a restart.
struct Handler : Object<HandlerTable> {
    int latency_changes = 0;
    bool in_process = false;
    bool broke_rules = false;  // asked from the audio thread

    Handler() {
        static const HandlerTable functions = make();
        table = &functions;
    }

    static HandlerTable make() {
        HandlerTable functions{};
        static_cast<v3_funknown&>(functions) = {no_interface, one, one};
        functions.handler.begin_edit = [](void*, v3_param_id) -> v3_result { return V3_OK; };
        functions.handler.perform_edit = [](void*, v3_param_id, double) -> v3_result {
            return V3_OK;
        };
        functions.handler.end_edit = [](void*, v3_param_id) -> v3_result { return V3_OK; };
        functions.handler.restart_component = [](void* self, std::int32_t flags) -> v3_result {
            auto& handler = *static_cast<Handler*>(self);
            handler.latency_changes += (flags & V3_RESTART_LATENCY_CHANGED) != 0;
            handler.broke_rules = handler.broke_rules || handler.in_process;
            return V3_OK;
        };
        return functions;
    }
};

}  // namespace host
