// Streams the golden vectors of an emitted folder through the Verilated design and compares every answer.
//
// One source serves every design: bench_config.h, written beside it from design.json, says which interface the
// design has and how wide its ports are. The model must be verilated with `--prefix Vdut`.
//
// A cycle is one rising clock edge. Before it, inputs are set and settle, and the outputs are read; so an input read
// by edge a whose answer is readable before edge c has a latency of c - a edges (0 where no register lies between).

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include "bench_config.h"
#include "pins.h"
#include "vectors.h"

namespace {

constexpr int kResetCycles = 4;

struct Options {
    std::string vectors = "vectors";
    std::string report;
    std::string trace;
    size_t count = SIZE_MAX;
    int gaps = 0;
    int stalls = 0;
    uint64_t seed = 1;
    uint64_t patience = 0;
    uint64_t trace_from = 0;
    bool check_timing = true;
};

const char* const kUsage =
    "usage: Vdut [--vectors FOLDER] [--count N] [--report FILE.json] [--gaps PERCENT] [--stalls PERCENT] [--seed N]\n"
    "            [--patience CYCLES] [--no-timing] [--trace FILE [--trace-from CYCLE]]\n"
    "  --vectors    folder of inputs.hex and outputs.hex (default: vectors)\n"
    "  --count      stream at most N vectors\n"
    "  --report     write the result as JSON\n"
    "  --gaps       share of cycles without an input on offer\n"
    "  --stalls     share of cycles in which no answer is accepted (ready_valid, axi_stream)\n"
    "  --seed       of the gaps, the stalls, and the registers' contents before reset (default: 1)\n"
    "  --patience   cycles without progress after which the design counts as hung\n"
    "  --no-timing  do not hold the counted latency and initiation interval against the stated ones\n"
    "  --trace      write the waveform (needs a build with TRACE=vcd or TRACE=fst)\n"
    "  --trace-from leave out the cycles before this one, counted from the reset's end\n"
    "exit code: 0 exact, 1 a difference, 2 bad usage or files, 3 the design does not answer\n";

int64_t number(const std::string& name, const char* text, int64_t low, int64_t high) {
    char* end = nullptr;
    errno = 0;
    const long long value = std::strtoll(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || value < low || value > high) {
        throw Problem(name + " must be a number from " + std::to_string(low) + " to " + std::to_string(high) +
                      ", not '" + text + "'");
    }
    return value;
}

Options parse(int argc, char** argv) {
    Options options;
    for (int i = 1; i < argc; ++i) {
        const std::string name = argv[i];
        if (name == "--no-timing") {
            options.check_timing = false;
            continue;
        }
        if (name == "--help") {
            std::fputs(kUsage, stdout);
            std::exit(0);
        }
        if (i + 1 == argc) throw Problem("unknown option, or option without a value: " + name + "\n" + kUsage);
        const char* value = argv[++i];
        if (name == "--vectors") options.vectors = value;
        else if (name == "--report") options.report = value;
        else if (name == "--trace") options.trace = value;
        else if (name == "--count") options.count = static_cast<size_t>(number(name, value, 1, INT64_MAX));
        else if (name == "--gaps") options.gaps = static_cast<int>(number(name, value, 0, 99));
        else if (name == "--stalls") options.stalls = static_cast<int>(number(name, value, 0, 99));
        else if (name == "--seed") options.seed = static_cast<uint64_t>(number(name, value, 0, INT64_MAX));
        else if (name == "--trace-from") options.trace_from = static_cast<uint64_t>(number(name, value, 0, INT64_MAX));
        else if (name == "--patience") options.patience = static_cast<uint64_t>(number(name, value, 1, INT64_MAX));
        else throw Problem("unknown option: " + name + "\n" + kUsage);
    }
    if (kBare && options.stalls != 0) throw Problem("--stalls: a bare interface cannot be stalled");
    return options;
}

// ---------------------------------------------------------------------------------------------------------- the bench

struct Result {
    std::string status = "exact";
    std::string message;
    size_t checked = 0;
    size_t mismatched = 0;
    size_t first_vector = 0;
    Words first_wanted, first_got;
    uint64_t protocol_errors = 0;
    std::string first_protocol_error;
    int64_t latency = -1, latency_max = -1;
    int64_t interval = -1, interval_max = -1;
    uint64_t cycles = 0;
    double seconds = 0;
};

class Bench {
public:
    Bench(const Options& options, const Vectors& inputs, const Vectors& outputs)
        : options_(options), inputs_(inputs), outputs_(outputs), dut_(options.seed, options.trace), random_{options.seed} {}

    Result run() {
        const auto start = std::chrono::steady_clock::now();
        dut_.tracing(options_.trace_from == 0);
        reset();
        stream();
        if (result_.status != "no_answer") drain();
        result_.cycles = cycle_;
        result_.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
        conclude();
        return result_;
    }

private:
    void reset() {
        Words noise(words_for(kInputBeatBits));
        for (int i = 0; i < kResetCycles; ++i) {
            dut_.reset(true);
            dut_.accept(true);
            fill(noise);
            dut_.offer(false, noise.data(), false);
            dut_.settle();
            dut_.edge();
        }
        dut_.reset(false);
    }

    void stream() {
        const uint64_t patience = options_.patience != 0 ? options_.patience
                                                         : 1000 + 4 * (static_cast<uint64_t>(kLatency) + kInputBeats +
                                                                       kOutputBeats) * 100 / free_share();
        uint64_t progress = 0;
        while (result_.checked < inputs_.count) {
            if (step(sent_ < inputs_.count)) progress = cycle_;
            if (cycle_ - progress > patience) {
                result_.status = "no_answer";
                result_.message = "the design gives no answer for " + std::to_string(patience) +
                                  " cycles: " + std::to_string(sent_) + " of " + std::to_string(inputs_.count) +
                                  " vectors sent, " + std::to_string(result_.checked) + " answered";
                return;
            }
        }
    }

    // After the last answer nothing more may come.
    void drain() {
        const uint64_t checked = result_.checked;
        const uint64_t cycles = 2 * static_cast<uint64_t>(kLatency + kInputBeats + kOutputBeats) + 8;
        for (uint64_t i = 0; i < cycles; ++i) step(false);
        if (result_.checked != checked || out_beat_ != 0) protocol("an answer that no input asked for");
        result_.checked = checked;
    }

    // One cycle; true where a beat of an answer was accepted.
    bool step(bool more) {
        if (cycle_ == options_.trace_from) dut_.tracing(true);
        if (more && !offering_ && !random_.chance(options_.gaps)) {
            extract(inputs_.at(sent_), inputs_.words, in_beat_ * kInputBeatBits,
                    std::min(kInputBeatBits, kInputBits - in_beat_ * kInputBeatBits), beat_.data(), beat_.size());
            offering_ = true;
        } else if (!offering_) {
            fill(beat_);
        }
        const bool accepting = !random_.chance(options_.stalls);
        dut_.offer(offering_, beat_.data(), offering_ && in_beat_ == kInputBeats - 1);
        dut_.accept(accepting);
        dut_.settle();

        bool answered = false;
        if (offering_ && dut_.ready()) took();
        if (dut_.valid()) {
            dut_.data(out_.data());
            if (stalled_ && (out_ != held_ || dut_.last() != held_last_)) protocol("an answer changed before it was accepted");
            if (accepting) {
                gave();
                answered = true;
            }
        } else if (stalled_) {
            protocol("an answer was withdrawn before it was accepted");
        }
        stalled_ = dut_.valid() && !accepting;
        if (stalled_) {
            held_ = out_;
            held_last_ = dut_.last();
        }
        dut_.edge();
        ++cycle_;
        return answered;
    }

    void took() {
        offering_ = false;
        if (in_beat_ == 0) taken_.push_back(cycle_);
        if (in_beat_ == 0 && sent_ > 0) {
            const int64_t distance = static_cast<int64_t>(cycle_ - last_taken_);
            if (result_.interval < 0 || distance < result_.interval) result_.interval = distance;
            if (distance > result_.interval_max) result_.interval_max = distance;
        }
        if (in_beat_ == 0) last_taken_ = cycle_;
        if (++in_beat_ == kInputBeats) {
            in_beat_ = 0;
            ++sent_;
        }
    }

    void gave() {
        if (result_.checked >= outputs_.count) {
            ++result_.checked;  // a surplus answer; drain() reports it
            return;
        }
        if (out_beat_ == 0) std::fill(answer_.begin(), answer_.end(), 0);
        const int low = out_beat_ * kOutputBeatBits;
        insert(out_.data(), std::min(kOutputBeatBits, kOutputBits - low), answer_.data(), answer_.size(), low);
        const bool final_beat = out_beat_ == kOutputBeats - 1;
        if (kAxi && final_beat && !zero_above(out_.data(), out_.size(), kOutputBits - low)) {
            protocol("the bits of the last beat above the answer are not zero");
        }
        if (dut_.last() != final_beat) {
            protocol(final_beat ? "tlast is missing on the last beat of an answer" : "tlast before the last beat of an answer");
        }
        if (!final_beat) {
            ++out_beat_;
            return;
        }
        out_beat_ = 0;
        if (next_answer_ >= taken_.size()) {
            protocol("an answer before its input was taken");
        } else {
            const int64_t latency = static_cast<int64_t>(cycle_ - taken_[next_answer_]);
            if (result_.latency < 0) result_.latency = latency;
            if (latency > result_.latency_max) result_.latency_max = latency;
            if (++next_answer_ == 4096) {
                taken_.erase(taken_.begin(), taken_.begin() + static_cast<std::ptrdiff_t>(next_answer_));
                next_answer_ = 0;
            }
        }
        compare();
    }

    void compare() {
        const uint32_t* wanted = outputs_.at(result_.checked);
        if (std::memcmp(wanted, answer_.data(), answer_.size() * sizeof(uint32_t)) != 0) {
            if (result_.mismatched++ == 0) {
                result_.first_vector = result_.checked;
                result_.first_wanted.assign(wanted, wanted + outputs_.words);
                result_.first_got = answer_;
            }
        }
        ++result_.checked;
    }

    void conclude() {
        const bool free = options_.gaps == 0 && options_.stalls == 0;
        if (!free) result_.latency = result_.latency_max = result_.interval = result_.interval_max = -1;
        if (result_.status == "no_answer") return;
        if (result_.mismatched != 0) {
            result_.status = "mismatch";
            result_.message = std::to_string(result_.mismatched) + " of " + std::to_string(result_.checked) +
                              " answers differ; the first is vector " + std::to_string(result_.first_vector);
        } else if (result_.protocol_errors != 0) {
            result_.status = "protocol";
            result_.message = std::to_string(result_.protocol_errors) +
                              " breaches of the interface's protocol; the first: " + result_.first_protocol_error;
        } else if (free && options_.check_timing && result_.latency != kLatency) {
            result_.status = "timing";
            result_.message = "counted a latency of " + std::to_string(result_.latency) + " cycles, but design.json states " +
                              std::to_string(kLatency);
        } else if (free && options_.check_timing && result_.interval_max >= 0 && result_.interval_max != kInterval) {
            result_.status = "timing";
            result_.message = "counted an initiation interval of " + std::to_string(result_.interval_max) +
                              " cycles, but design.json states " + std::to_string(kInterval);
        } else {
            result_.message = std::to_string(result_.checked) + " vectors, all answers equal";
        }
    }

    void protocol(const std::string& what) {
        if (result_.protocol_errors++ == 0) {
            result_.first_protocol_error = what + " (cycle " + std::to_string(cycle_) + ", answer " +
                                           std::to_string(result_.checked) + ")";
        }
    }

    // Noise where no input is on offer, so that a design that reads data without valid is caught.
    void fill(Words& words) {
        for (auto& word : words) word = static_cast<uint32_t>(random_.next());
        const int top = kInputBeatBits % 32;
        const size_t used = (static_cast<size_t>(kInputBeatBits) + 31) / 32;
        if (top != 0) words[used - 1] &= (1u << top) - 1;
        for (size_t i = used; i < words.size(); ++i) words[i] = 0;
    }

    uint64_t free_share() const {
        return static_cast<uint64_t>(std::max(1, (100 - options_.gaps) * (100 - options_.stalls) / 100));
    }

    const Options& options_;
    const Vectors& inputs_;
    const Vectors& outputs_;
    Dut dut_;
    Random random_;
    Result result_;
    uint64_t cycle_ = 0, last_taken_ = 0;
    size_t sent_ = 0;
    int in_beat_ = 0, out_beat_ = 0;
    bool offering_ = false, stalled_ = false, held_last_ = false;
    std::vector<uint64_t> taken_;  // cycle in which each sample's first beat was taken
    size_t next_answer_ = 0;
    Words beat_ = Words(words_for(kInputBeatBits)), out_ = Words(words_for(kOutputBeatBits));
    Words held_ = Words(words_for(kOutputBeatBits)), answer_ = Words(words_for(kOutputBits));
};

std::string value_text(const Field& field, const uint32_t* words) {
    uint32_t bits[2];
    extract(words, words_for(kOutputBits), field.low, field.bits, bits, 2);
    int64_t value = static_cast<int64_t>(bits[0] | static_cast<uint64_t>(bits[1]) << 32);
    if (field.is_signed && value >> (field.bits - 1) != 0) value -= int64_t{1} << field.bits;
    return std::to_string(value);
}

struct Difference {
    const Field* field;
    std::string wanted, got;
};

std::vector<Difference> differences(const Result& result) {
    std::vector<Difference> out;
    if (result.mismatched == 0) return out;
    for (const Field& field : kOutputFields) {
        const std::string wanted = value_text(field, result.first_wanted.data());
        const std::string got = value_text(field, result.first_got.data());
        if (wanted != got) out.push_back({&field, wanted, got});
    }
    return out;
}

std::string as_json(const Result& result) {
    const auto counted = [](int64_t value) { return value < 0 ? std::string("null") : std::to_string(value); };
    std::string mismatch = "null";
    if (result.mismatched != 0) {
        std::string fields;
        for (const auto& [field, wanted, got] : differences(result)) {
            fields += (fields.empty() ? "" : ", ") + ("{\"name\": " + quoted(field->name)) + ", \"wanted\": " + wanted +
                      ", \"got\": " + got + "}";
        }
        mismatch = "{\"vector\": " + std::to_string(result.first_vector) + ", \"wanted\": \"" +
                   hex(result.first_wanted.data(), kOutputBits) + "\", \"got\": \"" +
                   hex(result.first_got.data(), kOutputBits) + "\", \"fields\": [" + fields + "]}";
    }
    char speed[64];
    std::snprintf(speed, sizeof speed, "%.6f", result.seconds);
    return "{\n  \"top\": " + quoted(BENCH_TOP) + ",\n  \"status\": " + quoted(result.status) +
           ",\n  \"message\": " + quoted(result.message) +
           ",\n  \"vectors_checked\": " + std::to_string(result.checked) +
           ",\n  \"vectors_mismatched\": " + std::to_string(result.mismatched) + ",\n  \"first_mismatch\": " + mismatch +
           ",\n  \"protocol_errors\": " + std::to_string(result.protocol_errors) +
           ",\n  \"latency_cycles\": " + counted(result.latency) +
           ",\n  \"latency_cycles_max\": " + counted(result.latency_max) +
           ",\n  \"initiation_interval\": " + counted(result.interval_max) +
           ",\n  \"initiation_interval_min\": " + counted(result.interval) +
           ",\n  \"cycles\": " + std::to_string(result.cycles) + ",\n  \"seconds\": " + speed + "\n}\n";
}

int report(const Options& options, const Result& result) {
    if (!options.report.empty()) {
        std::ofstream file(options.report);
        file << as_json(result);
        file.close();
        if (!file) throw Problem("cannot write " + options.report);
    }
    std::printf("%s: %s: %s\n", BENCH_TOP, result.status.c_str(), result.message.c_str());
    if (result.mismatched != 0) {
        std::printf("  vector %zu: wanted %s, got %s\n", result.first_vector,
                    hex(result.first_wanted.data(), kOutputBits).c_str(), hex(result.first_got.data(), kOutputBits).c_str());
        for (const auto& [field, wanted, got] : differences(result)) {
            std::printf("  field %s: wanted %s, got %s\n", field->name, wanted.c_str(), got.c_str());
        }
    }
    if (result.latency >= 0) {
        std::printf("  latency %lld cycles", static_cast<long long>(result.latency));
        if (result.interval_max >= 0) std::printf(", initiation interval %lld", static_cast<long long>(result.interval_max));
        std::printf(", as counted\n");
    }
    const double seconds = std::max(result.seconds, 1e-9);
    std::printf("  %llu cycles in %.3f s: %.0f cycles/s, %.0f vectors/s\n", static_cast<unsigned long long>(result.cycles),
                result.seconds, static_cast<double>(result.cycles) / seconds, static_cast<double>(result.checked) / seconds);
    return result.status == "exact" ? 0 : result.status == "no_answer" ? 3 : 1;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        const Options options = parse(argc, argv);
        const Vectors inputs(options.vectors + "/inputs.hex", kInputBits, options.count);
        const Vectors outputs(options.vectors + "/outputs.hex", kOutputBits, options.count);
        if (inputs.count == 0) throw Problem(options.vectors + "/inputs.hex holds no vectors");
        if (inputs.count != outputs.count) {
            throw Problem(options.vectors + ": " + std::to_string(inputs.count) + " inputs but " +
                          std::to_string(outputs.count) + " outputs");
        }
        return report(options, Bench(options, inputs, outputs).run());
    } catch (const std::exception& problem) {
        std::fprintf(stderr, "%s: %s\n", argv[0], problem.what());
        return 2;
    }
}
