// Text as VST3 wants it: UTF-16 in arrays of fixed size. Ours is ASCII.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

namespace streamsep {

template <std::size_t Size>
void copy_text(const char* from, char (&to)[Size]) {
    std::strncpy(to, from, Size - 1);
    to[Size - 1] = '\0';
}

inline void copy_text(const std::string& from, std::int16_t* to, std::size_t size) {
    std::size_t k = 0;
    for (; k + 1 < size && k < from.size(); ++k) to[k] = static_cast<std::int16_t>(from[k]);
    to[k] = 0;
}

template <std::size_t Size>
void copy_text(const std::string& from, std::int16_t (&to)[Size]) {
    copy_text(from, to, Size);
}

inline std::string to_ascii(const std::int16_t* from, std::size_t longest) {
    std::string text;
    for (std::size_t k = 0; k < longest && from[k] != 0; ++k) {
        text += from[k] > 0 && from[k] < 0x80 ? static_cast<char>(from[k]) : '?';
    }
    return text;
}

}  // namespace streamsep
