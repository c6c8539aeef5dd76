// The pins of the Verilated design: one class over the three interfaces, for ports of any width.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <type_traits>

#include "Vdut.h"
#include "bench_config.h"
#include "vectors.h"
#include "verilated.h"

#if VM_TRACE_FST
#include "verilated_fst_c.h"
using Trace = VerilatedFstC;
#elif VM_TRACE
#include "verilated_vcd_c.h"
using Trace = VerilatedVcdC;
#endif

constexpr bool kBare = BENCH_INTERFACE == BENCH_BARE;
constexpr bool kAxi = BENCH_INTERFACE == BENCH_AXI_STREAM;
constexpr int kInputBeatBits = kAxi ? kStreamBits : kInputBits;
constexpr int kOutputBeatBits = kAxi ? kStreamBits : kOutputBits;
constexpr int kInputBeats = (kInputBits + kInputBeatBits - 1) / kInputBeatBits;
constexpr int kOutputBeats = (kOutputBits + kOutputBeatBits - 1) / kOutputBeatBits;

template <typename Port>
void put(Port& port, const uint32_t* words) {
    if constexpr (std::is_integral_v<Port>) {
        port = static_cast<Port>(sizeof(Port) == 8 ? words[0] | static_cast<uint64_t>(words[1]) << 32 : words[0]);
    } else {
        for (size_t i = 0; i < sizeof(Port) / sizeof(EData); ++i) port[i] = words[i];
    }
}

template <typename Port>
void get(const Port& port, uint32_t* words) {
    if constexpr (std::is_integral_v<Port>) {
        words[0] = static_cast<uint32_t>(port);
        words[1] = static_cast<uint32_t>(static_cast<uint64_t>(port) >> 32);
    } else {
        for (size_t i = 0; i < sizeof(Port) / sizeof(EData); ++i) words[i] = port[i];
    }
}

class Dut {
public:
    Dut(uint64_t seed, const std::string& trace) : context_(std::make_unique<VerilatedContext>()) {
        context_->randReset(2);  // registers start with noise, so that only the reset can make them right
        context_->randSeed(static_cast<int>(seed & 0x7fffffff) + 1);
        context_->traceEverOn(!trace.empty());
        top_ = std::make_unique<Vdut>(context_.get(), BENCH_TOP);
#if VM_TRACE
        if (!trace.empty()) {
            trace_ = std::make_unique<Trace>();
            top_->trace(trace_.get(), 99);
            trace_->open(trace.c_str());
            if (!trace_->isOpen()) throw Problem("cannot write " + trace);
        }
#else
        if (!trace.empty()) throw Problem("--trace needs a build with TRACE=vcd or TRACE=fst");
#endif
    }

    ~Dut() {
        top_->final();
#if VM_TRACE
        if (trace_) trace_->close();
#endif
    }

    void reset(bool active) {
#if BENCH_INTERFACE == BENCH_AXI_STREAM
        top_->aresetn = !active;
#else
        top_->rst = active;
#endif
    }

    void offer(bool valid, const uint32_t* data, bool last) {
#if BENCH_INTERFACE == BENCH_AXI_STREAM
        top_->s_axis_tvalid = valid;
        top_->s_axis_tlast = last;
        put(top_->s_axis_tdata, data);
#else
        (void)last;
        top_->in_valid = valid;
        put(top_->in_data, data);
#endif
    }

    void accept(bool ready) {
#if BENCH_INTERFACE == BENCH_AXI_STREAM
        top_->m_axis_tready = ready;
#elif BENCH_INTERFACE == BENCH_READY_VALID
        top_->out_ready = ready;
#else
        (void)ready;
#endif
    }

    void tracing(bool on) { tracing_ = on; }

    void settle() {
        clock(false);
        top_->eval();
        dump();
    }

    void edge() {
        clock(true);
        top_->eval();
        dump();
    }

    bool ready() const {
#if BENCH_INTERFACE == BENCH_AXI_STREAM
        return top_->s_axis_tready;
#elif BENCH_INTERFACE == BENCH_READY_VALID
        return top_->in_ready;
#else
        return true;
#endif
    }

    bool valid() const {
#if BENCH_INTERFACE == BENCH_AXI_STREAM
        return top_->m_axis_tvalid;
#else
        return top_->out_valid;
#endif
    }

    bool last() const {
#if BENCH_INTERFACE == BENCH_AXI_STREAM
        return top_->m_axis_tlast;
#else
        return true;
#endif
    }

    void data(uint32_t* words) const {
#if BENCH_INTERFACE == BENCH_AXI_STREAM
        get(top_->m_axis_tdata, words);
#else
        get(top_->out_data, words);
#endif
    }

private:
    void clock(bool level) {
#if BENCH_INTERFACE == BENCH_AXI_STREAM
        top_->aclk = level;
#else
        top_->clk = level;
#endif
    }

    void dump() {
        context_->timeInc(5);
#if VM_TRACE
        if (trace_ && tracing_) trace_->dump(context_->time());
#endif
    }

    std::unique_ptr<VerilatedContext> context_;
    std::unique_ptr<Vdut> top_;
    bool tracing_ = true;
#if VM_TRACE
    std::unique_ptr<Trace> trace_;
#endif
};
