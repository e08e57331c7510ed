// Bytes, and whole numbers in them in either order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace streamsep {

using Bytes = std::vector<std::uint8_t>;

template <class Number>
void put_little(std::uint8_t* to, Number value) {
    for (std::size_t k = 0; k < sizeof(Number); ++k) {
        to[k] = static_cast<std::uint8_t>(static_cast<std::uint64_t>(value) >> (8 * k));
    }
}

template <class Number>
Number get_little(const std::uint8_t* from) {
    std::uint64_t value = 0;
    for (std::size_t k = 0; k < sizeof(Number); ++k) {
        value |= static_cast<std::uint64_t>(from[k]) << (8 * k);
    }
    return static_cast<Number>(value);
}

template <class Number>
void append_big(Bytes& to, Number value) {
    for (std::size_t k = sizeof(Number); k-- > 0;) {
        to.push_back(static_cast<std::uint8_t>(static_cast<std::uint64_t>(value) >> (8 * k)));
    }
}

template <class Number>
Number get_big(const std::uint8_t* from) {
    std::uint64_t value = 0;
    for (std::size_t k = 0; k < sizeof(Number); ++k) value = value << 8 | from[k];
    return static_cast<Number>(value);
}

}  // namespace streamsep
