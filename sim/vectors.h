// Words of any width, and the vectors of one file as such words.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

using Words = std::vector<uint32_t>;  // bit 0 of word 0 is bit 0 of the port

constexpr size_t words_for(int bits) { return bits <= 64 ? 2 : (static_cast<size_t>(bits) + 31) / 32; }

// Copy `count` bits from `from`, starting at bit `low`, to the bottom of `to`; the rest of `to` becomes zero.
inline void extract(const uint32_t* from, size_t from_words, int low, int count, uint32_t* to, size_t to_words) {
    for (size_t i = 0; i < to_words; ++i) {
        const int done = static_cast<int>(i) * 32;
        if (done >= count) {
            to[i] = 0;
            continue;
        }
        const size_t word = static_cast<size_t>(low + done) / 32;
        const int shift = (low + done) % 32;
        uint64_t pair = word < from_words ? from[word] : 0;
        if (word + 1 < from_words) pair |= static_cast<uint64_t>(from[word + 1]) << 32;
        to[i] = static_cast<uint32_t>(pair >> shift);
        if (count - done < 32) to[i] &= (1u << (count - done)) - 1;
    }
}

// Write the low `count` bits of `from` into `to` at bit `low`; those bits of `to` must be zero.
inline void insert(const uint32_t* from, int count, uint32_t* to, size_t to_words, int low) {
    for (int done = 0; done < count; done += 32) {
        uint64_t bits = from[done / 32];
        if (count - done < 32) bits &= (1u << (count - done)) - 1;
        const size_t word = static_cast<size_t>(low + done) / 32;
        bits <<= (low + done) % 32;
        to[word] |= static_cast<uint32_t>(bits);
        if (word + 1 < to_words) to[word + 1] |= static_cast<uint32_t>(bits >> 32);
    }
}

// True where no bit from bit `low` upwards is set.
inline bool zero_above(const uint32_t* words, size_t count, int low) {
    for (size_t i = 0; i < count; ++i) {
        const int from = low - static_cast<int>(i) * 32;
        if (from < 32 && words[i] >> (from > 0 ? from : 0) != 0) return false;
    }
    return true;
}

struct Problem : std::runtime_error {
    using std::runtime_error::runtime_error;
};

inline std::string hex(const uint32_t* words, int bits) {
    std::string out;
    for (int digit = (bits + 3) / 4 - 1; digit >= 0; --digit) {
        out += "0123456789abcdef"[words[digit / 8] >> (digit % 8 * 4) & 15];
    }
    return out;
}

inline std::string quoted(const std::string& text) {
    std::string out = "\"";
    for (const unsigned char c : text) {
        if (c == '"' || c == '\\') {
            out += '\\';
            out += static_cast<char>(c);
        } else if (c < 32) {
            char code[8];
            std::snprintf(code, sizeof code, "\\u%04x", c);
            out += code;
        } else {
            out += static_cast<char>(c);
        }
    }
    return out + '"';
}

// Vectors of one file: one hexadecimal number a line, most significant digit first ($readmemh's form).
struct Vectors {
    int bits;
    size_t words;
    size_t count = 0;
    Words data;

    const uint32_t* at(size_t index) const { return data.data() + index * words; }

    Vectors(const std::string& path, int bits_, size_t limit) : bits(bits_), words(words_for(bits_)) {
        std::ifstream file(path);
        if (!file) throw Problem("cannot read " + path);
        std::string line;
        for (size_t number = 1; count < limit && std::getline(file, line); ++number) {
            const std::string where = path + ":" + std::to_string(number) + ": ";
            line.resize(line.find("//") == std::string::npos ? line.size() : line.find("//"));
            data.resize((count + 1) * words, 0);
            uint32_t* row = data.data() + count * words;
            int digits = 0;
            for (size_t i = line.size(); i-- > 0;) {
                const char c = line[i];
                if (c == '_' || c == ' ' || c == '\t' || c == '\r') continue;
                const int value = c >= '0' && c <= '9'   ? c - '0'
                                  : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                  : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                                         : -1;
                if (value < 0) throw Problem(where + "must be hexadecimal digits, not '" + std::string(1, c) + "'");
                const int spare = bits - digits * 4;
                if (value != 0 && (spare <= 0 || (spare < 4 && value >> spare != 0))) {
                    throw Problem(where + "must fit in " + std::to_string(bits) + " bits");
                }
                if (spare > 0) row[digits / 8] |= static_cast<uint32_t>(value) << (digits % 8 * 4);
                ++digits;
            }
            if (digits != 0) ++count;
        }
        data.resize(count * words);
    }
};

// A small generator with a fixed sequence for a seed (splitmix64), the same on every machine.
struct Random {
    uint64_t state;
    uint64_t next() {
        uint64_t z = state += 0x9e3779b97f4a7c15u;
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
        z = (z ^ z >> 27) * 0x94d049bb133111ebu;
        return z ^ z >> 31;
    }
    bool chance(int percent) { return percent > 0 && static_cast<int>(next() % 100) < percent; }
};
