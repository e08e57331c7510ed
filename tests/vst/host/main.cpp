// A VST3 host that does what it reads from standard input, a command a line, and answers each with
// a line. Tests drive it; see tests/vst/vst3_host.py for the commands.
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <sstream>

#include "plugin_host.hpp"

namespace {

using Arguments = std::istringstream;

std::unique_ptr<host::PluginHost> plugin;

template <class Value>
Value take(Arguments& from) {
    Value value{};
    host::require(static_cast<bool>(from >> value), "an argument is missing");
    return value;
}

host::Handling handling_of(Arguments& from) {
    host::Handling handling;
    for (std::string word; from >> word;) {
        handling.in_place |= word == "in-place";
        handling.null_buses |= word == "null-buses";
        handling.no_outputs |= word == "no-outputs";
        handling.no_input |= word == "no-input";
        handling.paced |= word == "paced";
    }
    return handling;
}

std::string read_file(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

// input FILE CHANNELS: raw float32 [C, T].
std::string read_input(Arguments& from) {
    const std::string data = read_file(take<std::string>(from));
    const auto channels = take<std::size_t>(from);
    const std::size_t length = data.size() / sizeof(float) / channels;
    plugin->input.assign(channels, std::vector<float>(length));
    for (std::size_t c = 0; c < channels; ++c) {
        std::memcpy(plugin->input[c].data(), data.data() + c * length * sizeof(float),
                    length * sizeof(float));
    }
    plugin->position = 0;
    return "ok";
}

// write FILE: what was recorded, [buses × sides, T]; the record is empty then.
std::string write_record(Arguments& from) {
    std::ofstream file(take<std::string>(from), std::ios::binary);
    for (auto& channel : plugin->recorded) {
        file.write(reinterpret_cast<const char*>(channel.data()),
                   static_cast<std::streamsize>(channel.size() * sizeof(float)));
        channel.clear();
    }
    return "ok";
}

// render MODE SAMPLES BLOCK,BLOCK,... [handling]: the lengths of blocks in turn.
std::string render(Arguments& from) {
    const int mode = take<int>(from);
    auto left = take<long>(from);
    std::istringstream list(take<std::string>(from));
    std::vector<int> blocks;
    for (std::string block; std::getline(list, block, ',');) blocks.push_back(std::stoi(block));
    const host::Handling handling = handling_of(from);
    for (std::size_t k = 0; left > 0; ++k) {
        const int length = static_cast<int>(std::min<long>(left, blocks[k % blocks.size()]));
        plugin->process(length, mode, handling);
        left -= length;
    }
    return "ok";
}

long count_files(const char* folder) {
    const std::filesystem::directory_iterator files(folder);
    return std::distance(begin(files), end(files));
}

long resident_kib() {
    std::ifstream file("/proc/self/statm");
    long total = 0;
    long resident = 0;
    file >> total >> resident;
    return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

// cycles PATH COUNT: load, activate, process, unload.
std::string cycle(Arguments& from) {
    const auto path = take<std::string>(from);
    const auto count = take<int>(from);
    for (int k = 0; k < count; ++k) {
        host::PluginHost each(path);
        each.set_up(44'100.0, 512, V3_REALTIME, 2);
        each.set_active(true);
        each.set_processing(true);
        each.process(512, V3_REALTIME, {});
    }
    return "ok";
}

std::string audit_report() {
    std::ostringstream text;
    text << plugin->worst.allocations << ' ' << plugin->worst.locks << ' ' << plugin->worst.writes
         << ' ' << plugin->worst.others;
    plugin->worst = {};
    return text.str();
}

std::string usage_report() {
    std::ostringstream text;
    text << resident_kib() << ' ' << count_files("/proc/self/task") << ' '
         << count_files("/proc/self/fd");
    return text.str();
}

std::string set_up(Arguments& from) {
    const auto rate = take<double>(from);
    const auto longest = take<int>(from);
    const auto mode = take<int>(from);
    plugin->set_up(rate, longest, mode, take<int>(from));
    return "ok";
}

std::string state_in_one_line() {
    std::string text = plugin->state();
    std::replace(text.begin(), text.end(), '\n', '\t');
    return text;
}

const std::map<std::string, std::function<std::string(Arguments&)>> commands = {
    {"load",
     [](Arguments& from) {
         plugin.reset();
         plugin = std::make_unique<host::PluginHost>(take<std::string>(from));
         return std::string("ok");
     }},
    {"unload",
     [](Arguments&) {
         plugin.reset();
         return std::string("ok");
     }},
    {"setup", set_up},
    {"active",
     [](Arguments& from) {
         plugin->set_active(take<int>(from) != 0);
         return std::string("ok");
     }},
    {"processing",
     [](Arguments& from) {
         plugin->set_processing(take<int>(from) != 0);
         return std::string("ok");
     }},
    {"latency", [](Arguments&) { return std::to_string(plugin->latency()); }},
    {"tail", [](Arguments&) { return std::to_string(plugin->tail()); }},
    {"state", [](Arguments&) { return state_in_one_line(); }},
    {"restore",
     [](Arguments& from) {
         return plugin->restore(read_file(take<std::string>(from))) ? std::string("ok")
                                                                    : std::string("refused");
     }},
    {"set",
     [](Arguments& from) {
         const auto id = take<unsigned>(from);
         plugin->set_parameter(id, take<double>(from));
         return std::string("ok");
     }},
    {"get", [](Arguments& from) { return std::to_string(plugin->parameter(take<unsigned>(from))); }},
    {"queue",
     [](Arguments& from) {
         const auto id = take<unsigned>(from);
         const auto offset = take<int>(from);
         plugin->queue({id, offset, take<double>(from)});
         return std::string("ok");
     }},
    {"input", read_input},
    {"render", render},
    {"process",
     [](Arguments& from) {
         const auto mode = take<int>(from);
         const auto length = take<int>(from);
         plugin->process(length, mode, handling_of(from));
         return std::string("ok");
     }},
    {"write", write_record},
    {"cycles", cycle},
    {"usage", [](Arguments&) { return usage_report(); }},
    {"audit", [](Arguments&) { return audit_report(); }},
    {"restarts",
     [](Arguments&) {
         return std::to_string(plugin->handler.latency_changes) +
                (plugin->handler.broke_rules ? " from the audio thread" : "");
     }},
};

}  // namespace

int main() {
    for (std::string line; std::getline(std::cin, line);) {
        Arguments arguments(line);
        try {
            std::cout << commands.at(take<std::string>(arguments))(arguments) << std::endl;
        } catch (const std::exception& error) {
            std::cout << "error: " << line << ": " << error.what() << std::endl;
        }
    }
    plugin.reset();
    return 0;
}
