// Many tokens of the recurrence in a launch: per token what gru_forward.cu and ring_step.cu do, in
// half precision, with the cell's weights kept on the multiprocessors.
//
//   gates, h' = GRU(x, h)            blocks 0 .. , `units` rows of each gate a block
//   ring_step(h')                    the last blocks, one a sample
//
// Both wait for each other by two counters. The hidden product of the next token does not need its
// input and is taken while the ring steps. A cooperative launch: all blocks run at once.
#include "cell_product.cuh"
#include "grid_barrier.cuh"
#include "gru.cuh"
#include "ring_step.cuh"

namespace chain {
// Half of a multiprocessor's threads and registers: the states of the tape are written beside.
constexpr int FORWARD_WARPS = 8;

// A cell over tokens: arguments of all of them.
struct Cell {
    const float *x;       // [T,B,W]
    float *hidden;        // [T+1,B,W]
    const void *weight_ih, *weight_hh, *bias_ih, *bias_hh;
    float *gates;         // [T,B,4W]
    int batch, width, units, blocks;
    int first, end;       // tokens of this launch
};
ASSERT_SIZE(Cell, 80);
ASSERT_OFFSET(Cell, x, 0);
ASSERT_OFFSET(Cell, hidden, 8);
ASSERT_OFFSET(Cell, weight_ih, 16);
ASSERT_OFFSET(Cell, weight_hh, 24);
ASSERT_OFFSET(Cell, bias_ih, 32);
ASSERT_OFFSET(Cell, bias_hh, 40);
ASSERT_OFFSET(Cell, gates, 48);
ASSERT_OFFSET(Cell, batch, 56);
ASSERT_OFFSET(Cell, width, 60);
ASSERT_OFFSET(Cell, units, 64);
ASSERT_OFFSET(Cell, blocks, 68);
ASSERT_OFFSET(Cell, first, 72);
ASSERT_OFFSET(Cell, end, 76);

// Rows of the products of a block: three gates of each of its units.
__device__ inline int tiles(const Cell &c) {
    return (3 * c.units + TILE_ROWS - 1) / TILE_ROWS;
}

// Shared memory of a block that computes.
struct Shared {
    uint4 *inputs, *states; // weights of the two products
    float *partial, *of_inputs, *of_states;
    float *before; // states of the block's units before a token, where all samples are taken at once

    __device__ Shared(uint4 *all, const Cell &c) {
        const int weights = steps(c.width) * tiles(c) * 32, rows = tiles(c) * TILE_ROWS;
        inputs = all;
        states = all + weights;
        partial = (float *)(all + 2 * weights);
        of_inputs = partial + FORWARD_WARPS * rows * SUM_STRIDE;
        of_states = of_inputs + rows * SUM_STRIDE;
        before = of_states + rows * SUM_STRIDE;
    }
};

// Whether one product takes all samples.
__device__ inline bool is_at_once(const Cell &c) { return c.batch <= SAMPLES_AT_ONCE; }

template <class W> __device__ void keep_cell(const Shared &shared, const Cell &c) {
    const int unit = blockIdx.x * c.units, width = c.width;
    const auto of = [&](const void *matrix) {
        return [=](int row, int k) {
            const int i = unit + row / 3;
            const bool is_there = row < 3 * c.units && i < width && k < width;
            const size_t at = ((size_t)(row % 3) * width + i) * width + k;
            return is_there ? ((const W *)matrix)[at] : W(0.0f);
        };
    };
    keep_weights<W>(shared.inputs, width, tiles(c), of(c.weight_ih));
    keep_weights<W>(shared.states, width, tiles(c), of(c.weight_hh));
    __syncthreads();
}

// The product with the states before token `t` of the samples from `first` on.
template <class W>
__device__ void states_product(const Shared &shared, const Cell &c, int t, int first) {
    const float *states = c.hidden + ((size_t)t * c.batch + first) * c.width;
    product<W, FORWARD_WARPS>(shared.states, tiles(c), states, c.width, c.width,
               min(SAMPLES_AT_ONCE, c.batch - first), shared.partial, shared.of_states);
}

template <class W>
__device__ void inputs_product(const Shared &shared, const Cell &c, int t, int first) {
    const float *inputs = c.x + ((size_t)t * c.batch + first) * c.width;
    product<W, FORWARD_WARPS>(shared.inputs, tiles(c), inputs, c.width, c.width,
               min(SAMPLES_AT_ONCE, c.batch - first), shared.partial, shared.of_inputs);
}

// Gates of token `t` and the states after it, of the samples from `first` on, as gru_forward.cu has
// them.
template <class W>
__device__ void activate(const Shared &shared, const Cell &c, int t, int first) {
    const W *bias_ih = (const W *)c.bias_ih, *bias_hh = (const W *)c.bias_hh;
    const int width = c.width, samples = min(SAMPLES_AT_ONCE, c.batch - first);
#pragma unroll 1
    for (int at = threadIdx.x; at < c.units * samples; at += FORWARD_WARPS * 32) {
        const int unit = at % c.units, s = at / c.units, i = blockIdx.x * c.units + unit;
        if (i >= width) continue;
        const float *x = shared.of_inputs + 3 * unit * SUM_STRIDE + s;
        const float *h = shared.of_states + 3 * unit * SUM_STRIDE + s;
        const GruGates gate(x[0] + h[0], x[SUM_STRIDE] + h[SUM_STRIDE], x[2 * SUM_STRIDE],
                            h[2 * SUM_STRIDE], gru_biases(bias_ih, bias_hh, i, width));
        const size_t sample = (size_t)t * c.batch + first + s;
        gate.store(c.gates + sample * 4 * width + i, width);
        float *state = c.hidden + sample * width + i;
        float &before = shared.before[at];
        if (!is_at_once(c) || t == c.first) before = __ldcg(state);
        before = gate.next(before);
        state[(size_t)c.batch * width] = before;
    }
}
} // namespace chain

struct ForwardChainArguments {
    RingStepArguments ring; // its `from` is not looked at
    chain::Cell cell;
};
ASSERT_SIZE(ForwardChainArguments, 272);
ASSERT_OFFSET(ForwardChainArguments, ring, 0);
ASSERT_OFFSET(ForwardChainArguments, cell, 192);

// What a block does is known to the compiler: a sample's place takes no registers where cells are
// computed, and the other way around.
template <class W, class P, bool computes, bool rings>
__device__ void forward_tokens(const ForwardChainArguments &g, int sample) {
    extern __shared__ uint4 shared_bytes[];
    const chain::Cell &c = g.cell;
    const chain::Shared shared(shared_bytes, c);
    const bool is_early = chain::is_at_once(c);
    const int first = c.first, end = c.end;
    float *kept = g.ring.kept; // of the token after the first and so on, [B,5,D] each
    const size_t kept_by_token = (size_t)c.batch * TAPS * c.width;
    unsigned *computed = computed_of + FORWARD, *stepped = stepped_of + FORWARD;
    const RingAxis<P> axis = {g.ring.ring.ring_len, g.ring.ring.theta_ptr, g.ring.ring.theta_gate};
    RingSample<P> at(g.ring, axis, rings ? sample : 0, first);
    if (computes) {
        chain::keep_cell<W>(shared, c);
        if (is_early) chain::states_product<W>(shared, c, first, 0);
    }
#pragma unroll 1
    for (int t = first; t < end; t++) {
        if (computes) {
            wait_for(stepped, t * c.batch);
#pragma unroll 1
            for (int s = 0; s < c.batch; s += chain::SAMPLES_AT_ONCE) {
                if (!is_early) chain::states_product<W>(shared, c, t, s);
                chain::inputs_product<W>(shared, c, t, s);
                chain::activate<W>(shared, c, t, s);
            }
            arrive(computed);
        }
        if (rings) {
            wait_for(computed, (t + 1) * c.blocks);
            ring_step(g.ring, axis, sample, t, kept ? kept + (t - first) * kept_by_token : nullptr, at);
            arrive(stepped);
            at.fields = axis.fields((P)at.state.p);
        }
        if (computes && is_early && t + 1 < end) {
            wait_for(computed, (t + 1) * c.blocks);
            chain::states_product<W>(shared, c, t + 1, 0);
        }
    }
    if (rings) at.store(g.ring, sample);
}

template <class W, class P> __device__ void forward_chain(const ForwardChainArguments &g) {
    const int sample = gridDim.x - 1 - blockIdx.x;
    if (blockIdx.x >= g.cell.blocks)
        forward_tokens<W, P, false, true>(g, sample);
    else if (sample >= g.cell.batch)
        forward_tokens<W, P, true, false>(g, sample);
    else
        forward_tokens<W, P, true, true>(g, sample);
}

FOR_HALVES_AND_POINTERS(forward_chain, __launch_bounds__(chain::FORWARD_WARPS * 32, 2),
                        ForwardChainArguments)
