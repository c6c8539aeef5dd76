// Plays a script against a generated engine: AXI4-Lite reads and writes, beats for its streams, answers from it.
//
// The script has a command a line, numbers in hexadecimal:
//   W ADDRESS DATA         write a register
//   R ADDRESS              read one; prints "R ADDRESS DATA"
//   D GAP LAST BEAT        queue a beat of images: it is offered after GAP clocks in which the engine waited for it
//   Q GAP LAST BEAT        the same for weights
//   O STALL                the next answer beat waits STALL clocks before it is taken (0 where nothing is said)
//   B LIMIT                run until the engine is not busy; prints "T CLOCKS", or "L" where it still is after LIMIT
//   C CLOCKS               run so many clocks
//   G PERCENT SEED         from here on offer and accept at random, in so many percent of all clocks (0: back to gaps)
//   F                      forget all beats that are queued
//   X                      reset
//   S FLAG                 with -DENGINE_SAIF: from here on (1) count every bit's activity, a sample a clock, or write
//                          what was counted (0) to the file that is the third argument
//   A                      print the answer beats since the last A: "A LAST BEAT" each
// Options after the seed: +NAME=VALUE for the simulation (engine_watch.sv lists them), and, where it was compiled with
// --trace-fst or --trace-vcd, --trace FILE FROM TO: the waveform of the clocks FROM to TO, at most kTraceBytes.
// Lines go to standard output. A receiver's rule that the engine breaks is printed as "E ...". Exit code 2: bad script.
// The model must be verilated with `--prefix Vengine`.

#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>
#include <system_error>
#include <type_traits>
#include <vector>

#include "Vengine.h"
#include "verilated.h"
#ifdef ENGINE_SAIF
#include "verilated_saif_c.h"
#elif VM_TRACE_FST
#include "verilated_fst_c.h"
using Wave = VerilatedFstC;
#define ENGINE_WAVE 1
#elif VM_TRACE
#include "verilated_vcd_c.h"
using Wave = VerilatedVcdC;
#define ENGINE_WAVE 1
#endif

namespace {

using Words = std::vector<uint32_t>;

constexpr uint64_t kTraceBytes = uint64_t{256} << 20;

struct Options {
    std::string script, saif = "activity.saif", trace;
    uint64_t seed = 1, from = 0, to = 0;
    std::vector<const char*> plus;  // what the simulation is given, the program's name first
};

template <typename Port>
void put(Port& port, const Words& words) {
    auto word = [&](size_t i) { return i < words.size() ? words[i] : 0u; };
    if constexpr (std::is_integral_v<Port>) {
        port = static_cast<Port>(word(0) | static_cast<uint64_t>(word(1)) << 32);
    } else {
        for (size_t i = 0; i < sizeof(Port) / sizeof(EData); ++i) port[i] = word(i);
    }
}

template <typename Port>
Words get(const Port& port) {
    if constexpr (std::is_integral_v<Port>) {
        const uint64_t value = port;
        return {static_cast<uint32_t>(value), static_cast<uint32_t>(value >> 32)};
    } else {
        Words words(sizeof(Port) / sizeof(EData));
        for (size_t i = 0; i < words.size(); ++i) words[i] = port[i];
        return words;
    }
}

Words parse(const std::string& digits) {
    Words words((digits.size() + 7) / 8);
    for (size_t i = 0; i < words.size(); ++i) {
        const size_t end = digits.size() - 8 * i;
        const size_t begin = end > 8 ? end - 8 : 0;
        words[i] = static_cast<uint32_t>(std::stoul(digits.substr(begin, end - begin), nullptr, 16));
    }
    return words;
}

struct Beat {
    uint64_t gap;
    bool last;
    Words data;
};

struct Random {
    uint64_t state = 1;
    uint32_t next() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        return static_cast<uint32_t>(state >> 32);
    }
    bool chance(uint64_t percent) { return next() % 100 < percent; }
};

class Source {
public:
    std::deque<Beat> beats;

    bool offered(uint64_t percent, Random& random) {
        if (beats.empty()) return held_ = false;
        if (percent != 0) return held_ = held_ || random.chance(percent);
        return beats.front().gap == 0;
    }
    void clock(bool valid, bool ready) {
        if (valid && ready) {
            beats.pop_front();
            held_ = false;
        } else if (ready && !beats.empty() && beats.front().gap > 0) {
            --beats.front().gap;
        }
    }
    void forget() {
        beats.clear();
        held_ = false;
    }

private:
    bool held_ = false;  // what was offered stays on offer
};

class Bench {
public:
    explicit Bench(const Options& options) : options_(options), plus_(options.plus), context_(std::make_unique<VerilatedContext>()) {
        context_->randReset(2);  // registers start with noise, so that only the reset can make them right
        context_->randSeed(static_cast<int>(options.seed & 0x7fffffff) + 1);
        context_->commandArgs(static_cast<int>(plus_.size()), plus_.data());
#if VM_TRACE
        context_->traceEverOn(true);
#endif
        top_ = std::make_unique<Vengine>(context_.get(), "engine");
#ifdef ENGINE_SAIF
        top_->trace(&saif_, 99);
#endif
#ifdef ENGINE_WAVE
        if (!options.trace.empty()) top_->trace(&wave_, 99);
#endif
        reset();
    }
    ~Bench() {
        top_->final();
#ifdef ENGINE_WAVE
        if (wave_.isOpen()) wave_.close();
#endif
    }

    void reset() {
        top_->aresetn = 0;
        top_->s_axi_awvalid = top_->s_axi_wvalid = top_->s_axi_arvalid = 0;
        top_->s_axi_bready = top_->s_axi_rready = 1;
        on_offer_ = false;
        for (int i = 0; i < 4; ++i) clock();
        top_->aresetn = 1;
        clock();
    }

    // One clock: inputs settle, outputs are read, the edge comes.
    void clock() {
        const bool active = top_->aresetn;
        const bool data = active && images.offered(percent_, random_);
        const bool weight = active && weights.offered(percent_, random_);
        top_->s_axis_data_tvalid = data;
        top_->s_axis_weight_tvalid = weight;
        if (data) {
            put(top_->s_axis_data_tdata, images.beats.front().data);
            top_->s_axis_data_tlast = images.beats.front().last;
        }
        if (weight) {
            put(top_->s_axis_weight_tdata, weights.beats.front().data);
            top_->s_axis_weight_tlast = weights.beats.front().last;
        }
        const bool accept = percent_ != 0 ? random_.chance(percent_) : stalls.empty() || stalls.front() == 0;
        top_->m_axis_tready = accept;
        top_->aclk = 0;
        top_->eval();
#ifdef ENGINE_SAIF
        if (saif_.isOpen()) saif_.dump(sampled_++);
#endif
#ifdef ENGINE_WAVE
        trace(0);
#endif
        if (active) {
            images.clock(data, top_->s_axis_data_tready);
            weights.clock(weight, top_->s_axis_weight_tready);
            receive(accept);
        }
        top_->aclk = 1;
        top_->eval();
#ifdef ENGINE_WAVE
        trace(5);
#endif
        context_->timeInc(1);
        ++clocks;
    }

    void write(uint32_t address, uint32_t value) {
        top_->s_axi_awaddr = address;
        top_->s_axi_wdata = value;
        top_->s_axi_wstrb = 15;
        top_->s_axi_awvalid = top_->s_axi_wvalid = 1;
        wait([&] { return top_->s_axi_awready && top_->s_axi_wready; }, "a write is not taken");
        top_->s_axi_awvalid = top_->s_axi_wvalid = 0;
        wait([&] { return top_->s_axi_bvalid; }, "a write is not answered");
    }

    uint32_t read(uint32_t address) {
        top_->s_axi_araddr = address;
        top_->s_axi_arvalid = 1;
        wait([&] { return top_->s_axi_arready; }, "a read is not taken");
        top_->s_axi_arvalid = 0;
        uint32_t value = 0;
        wait([&] { value = top_->s_axi_rdata; return top_->s_axi_rvalid; }, "a read is not answered");
        return value;
    }

#ifdef ENGINE_SAIF
    void sample(bool on, const char* file) {
        if (on) {
            sampled_ = 0;
            saif_.open(file);
        } else {
            saif_.dump(sampled_);  // the last sample lasts a clock too
            saif_.close();
        }
    }
#endif

    bool busy() const { return top_->busy; }

    void randomly(uint64_t percent, uint64_t seed) {
        percent_ = percent;
        random_.state = seed * 0x9e3779b97f4a7c15u + 1;
    }

    Source images, weights;
    std::deque<uint64_t> stalls;
    std::vector<std::pair<bool, Words>> answers;
    uint64_t clocks = 0;

private:
#ifdef ENGINE_WAVE
    // A clock is 10 units of time: the inputs settle in its first half, the edge is in its middle.
    void trace(uint64_t phase) {
        if (options_.trace.empty() || clocks < options_.from || clocks > options_.to || full_) return;
        if (!wave_.isOpen()) {
            wave_.open(options_.trace.c_str());
            if (!wave_.isOpen()) {
                std::fprintf(stderr, "cannot write %s\n", options_.trace.c_str());
                std::exit(2);
            }
        }
        wave_.dump(10 * clocks + phase);
        if (phase != 0 && clocks % 1024 == 0) {
            std::error_code absent;
            const auto size = std::filesystem::file_size(options_.trace, absent);
            full_ = !absent && size > kTraceBytes;
        }
        if (full_ || (phase != 0 && clocks == options_.to)) wave_.close();
    }
#endif

    void receive(bool accept) {
        const bool valid = top_->m_axis_tvalid;
        const Words data = get(top_->m_axis_tdata);
        if (on_offer_ && (!valid || data != offer_)) std::printf("E an answer beat changed before it was taken\n");
        on_offer_ = valid && !accept;
        offer_ = data;
        if (!valid) return;
        if (accept) {
            answers.emplace_back(top_->m_axis_tlast, data);
            if (!stalls.empty()) stalls.pop_front();
        } else if (!stalls.empty() && stalls.front() > 0) {
            --stalls.front();
        }
    }

    // Clock until `ready` holds before an edge, that edge included.
    template <typename Condition>
    void wait(Condition ready, const char* complaint) {
        for (int i = 0; i < 100; ++i) {
            top_->aclk = 0;
            top_->eval();
            const bool now = ready();
            clock();
            if (now) return;
        }
        std::printf("E %s\n", complaint);
    }

    const Options& options_;
    std::vector<const char*> plus_;
    std::unique_ptr<VerilatedContext> context_;
    std::unique_ptr<Vengine> top_;
#ifdef ENGINE_WAVE
    Wave wave_;
    bool full_ = false;
#endif
    Random random_;
    uint64_t percent_ = 0;
    bool on_offer_ = false;
    Words offer_;
#ifdef ENGINE_SAIF
    VerilatedSaifC saif_;
    uint64_t sampled_ = 0;
#endif
};

void play(std::istream& script, Bench& bench, [[maybe_unused]] const char* file) {
    std::string line;
    for (int number = 1; std::getline(script, line); ++number) {
        std::istringstream in(line);
        in >> std::hex;
        char command = 0;
        uint64_t a = 0, b = 0;
        std::string digits;
        in >> command;
        switch (command) {
            case 'W': in >> a >> b; bench.write(static_cast<uint32_t>(a), static_cast<uint32_t>(b)); break;
            case 'R': in >> a; std::printf("R %" PRIx64 " %x\n", a, bench.read(static_cast<uint32_t>(a))); break;
            case 'D': in >> a >> b >> digits; bench.images.beats.push_back({a, b != 0, parse(digits)}); break;
            case 'Q': in >> a >> b >> digits; bench.weights.beats.push_back({a, b != 0, parse(digits)}); break;
            case 'O': in >> a; bench.stalls.push_back(a); break;
            case 'B': {
                in >> a;
                const uint64_t begin = bench.clocks;
                while (bench.busy() && bench.clocks - begin < a) bench.clock();
                if (bench.busy()) std::printf("L\n");
                else std::printf("T %" PRIx64 "\n", bench.clocks - begin);
                break;
            }
            case 'C': in >> a; for (; a > 0; --a) bench.clock(); break;
            case 'G': in >> a >> b; bench.randomly(a, b); break;
            case 'F': bench.images.forget(); bench.weights.forget(); bench.stalls.clear(); break;
            case 'X': bench.reset(); break;
#ifdef ENGINE_SAIF
            case 'S': in >> a; bench.sample(a != 0, file); break;
#endif
            case 'A':
                for (const auto& [last, words] : bench.answers) {
                    std::printf("A %d ", last);
                    for (size_t i = words.size(); i-- > 0;) std::printf("%08x", words[i]);
                    std::printf("\n");
                }
                bench.answers.clear();
                break;
            default: in.setstate(std::ios::failbit);
        }
        if (!in) {
            std::fprintf(stderr, "line %d of the script is not a command: %s\n", number, line.c_str());
            std::exit(2);
        }
    }
}

}  // namespace

int main(int argc, char** argv) {
    Options options;
    int plain = 0;
    bool good = true;
    options.plus.push_back(argv[0]);
    for (int i = 1; i < argc; ++i) {
        const std::string word = argv[i];
        if (word[0] == '+') {
            options.plus.push_back(argv[i]);
        } else if (word == "--trace" && i + 3 < argc) {
            options.trace = argv[i + 1];
            options.from = std::strtoull(argv[i + 2], nullptr, 10);
            options.to = std::strtoull(argv[i + 3], nullptr, 10);
            i += 3;
        } else if (plain == 0) {
            options.script = word;
            ++plain;
        } else if (plain == 1) {
            options.seed = std::strtoull(argv[i], nullptr, 10);
            ++plain;
        } else if (plain == 2) {
            options.saif = word;
            ++plain;
        } else {
            good = false;
        }
    }
#ifndef ENGINE_WAVE
    good = good && options.trace.empty();
#endif
    if (!good || plain < 2) {
        std::fprintf(stderr, "usage: Vengine SCRIPT SEED [FILE] [+NAME=VALUE ...] [--trace FILE FROM TO]\n");
        return 2;
    }
    std::ifstream script(options.script);
    if (!script) {
        std::fprintf(stderr, "cannot read %s\n", options.script.c_str());
        return 2;
    }
    Bench bench(options);
    play(script, bench, options.saif.c_str());
    return 0;
}
