// Stands in for <lz4.h> where it is not installed: the two functions that Verilator's writer of FST files calls.
//
// Writes LZ4 blocks (github.com/lz4/lz4, doc/lz4_Block_format.md): greedy, one candidate a hash, no state kept.
#pragma once

#include <cstdint>
#include <cstring>
#include <vector>

inline int LZ4_compressBound(int size) { return size + size / 255 + 16; }

inline int LZ4_compress_default(const char* source, char* target, int size, int capacity) {
    const auto* from = reinterpret_cast<const uint8_t*>(source);
    auto* to = reinterpret_cast<uint8_t*>(target);
    if (capacity < LZ4_compressBound(size)) return 0;
    const auto length = [&to](int rest) {
        for (; rest >= 255; rest -= 255) *to++ = 255;
        *to++ = static_cast<uint8_t>(rest);
    };
    const auto put = [&](int begin, int end, int offset, int match) {  // literals, then a match; none where offset is 0
        const int literals = end - begin, more = match - 4;
        *to++ = static_cast<uint8_t>((literals < 15 ? literals : 15) << 4 | (offset == 0 ? 0 : more < 15 ? more : 15));
        if (literals >= 15) length(literals - 15);
        if (literals > 0) std::memcpy(to, from + begin, static_cast<size_t>(literals));
        to += literals;
        if (offset == 0) return;
        *to++ = static_cast<uint8_t>(offset);
        *to++ = static_cast<uint8_t>(offset >> 8);
        if (more >= 15) length(more - 15);
    };
    std::vector<int> seen(1 << 12, -1);
    int begin = 0;
    for (int at = 0; at + 12 < size;) {  // a match starts 12 bytes before the end at the latest
        uint32_t word;
        std::memcpy(&word, from + at, 4);
        int& known = seen[word * 2654435761u >> 20];
        const int before = known;
        known = at;
        if (before < 0 || at - before > 65535 || std::memcmp(from + before, from + at, 4) != 0) {
            ++at;
            continue;
        }
        int match = 4;
        while (at + match < size - 5 && from[before + match] == from[at + match]) ++match;  // 5 literals stay
        put(begin, at, at - before, match);
        at += match;
        begin = at;
    }
    put(begin, size, 0, 0);
    return static_cast<int>(to - reinterpret_cast<uint8_t*>(target));
}
