// Backward of forward_chain.cu: many tokens in one launch, from the last to the first; per token what
// ring_step_backward.cu and gru_backward.cu do, in half precision, with the cell's weights kept on
// the multiprocessors.
//
//   ring_step_backward               the last blocks, one a sample
//   dx = W_ih' dg, dh += W_hh' dg    blocks 0 .. , `columns` columns of both a block
//
// The gradients dg [B,4W] of r, z, n and the candidate's hidden product q are one row of values: the
// weights of W_ih are zero for q, those of W_hh for n.
#include "cell_product.cuh"
#include "grid_barrier.cuh"
#include "ring_step.cuh"

namespace chain {
constexpr int BACKWARD_WARPS = 16;
// Columns of one tile: rows 0..7 of it are of W_ih, rows 8..15 of W_hh.
constexpr int COLUMNS = TILE_ROWS / 2;

// A cell over tokens, backward.
struct CellBackward {
    float *gates;         // [T,B,4W]: gradients of the pre-activations
    const void *weight_ih, *weight_hh;
    float *dx;            // [B,W], of the token that was last gone back over
    float *dh[2];         // [B,W]: of the states after and before a token, in turns
    int batch, width, columns, blocks;
};
ASSERT_SIZE(CellBackward, 64);
ASSERT_OFFSET(CellBackward, gates, 0);
ASSERT_OFFSET(CellBackward, weight_ih, 8);
ASSERT_OFFSET(CellBackward, weight_hh, 16);
ASSERT_OFFSET(CellBackward, dx, 24);
ASSERT_OFFSET(CellBackward, dh, 32);
ASSERT_OFFSET(CellBackward, batch, 48);
ASSERT_OFFSET(CellBackward, width, 52);
ASSERT_OFFSET(CellBackward, columns, 56);
ASSERT_OFFSET(CellBackward, blocks, 60);

__device__ inline int tiles(const CellBackward &c) { return (c.columns + COLUMNS - 1) / COLUMNS; }

// Shared memory of a block that computes.
struct SharedBackward {
    uint4 *weights;
    float *partial, *sums;

    __device__ SharedBackward(uint4 *all, const CellBackward &c) {
        const int rows = tiles(c) * TILE_ROWS;
        weights = all;
        partial = (float *)(all + steps(4 * c.width) * tiles(c) * 32);
        sums = partial + BACKWARD_WARPS * rows * SUM_STRIDE;
    }
};

template <class W> __device__ void keep_cell(const SharedBackward &shared, const CellBackward &c) {
    const int column = blockIdx.x * c.columns, w = c.width;
    const W *ih = (const W *)c.weight_ih, *hh = (const W *)c.weight_hh;
    keep_weights<W>(shared.weights, 4 * w, tiles(c), [=](int row, int k) {
        const int within = row / TILE_ROWS * COLUMNS + row % COLUMNS, i = column + within;
        const bool of_states = row % TILE_ROWS >= COLUMNS;
        const int skipped = of_states ? 2 : 3; // the part of n, of q
        if (within >= c.columns || i >= w || k >= 4 * w || k / w == skipped) return W(0.0f);
        const int gate = of_states && k >= 3 * w ? k - w : k;
        return (of_states ? hh : ih)[(size_t)gate * w + i];
    });
    __syncthreads();
}

// The products with the gradients of token `t`'s gates, of the samples from `first` on.
template <class W>
__device__ void gates_product(const SharedBackward &shared, const CellBackward &c, int t, int first) {
    const float *gates = c.gates + ((size_t)t * c.batch + first) * 4 * c.width;
    product<W, BACKWARD_WARPS>(shared.weights, tiles(c), gates, 4 * c.width, 4 * c.width,
               min(SAMPLES_AT_ONCE, c.batch - first), shared.partial, shared.sums);
}

// Hands the products' sums of the block's columns on, of the samples from `first` on.
__device__ inline void hand_on(const SharedBackward &shared, const CellBackward &c, int first,
                               float *before) {
    const int samples = min(SAMPLES_AT_ONCE, c.batch - first);
#pragma unroll 1
    for (int at = threadIdx.x; at < c.columns * samples; at += BACKWARD_WARPS * 32) {
        const int within = at % c.columns, s = at / c.columns, i = blockIdx.x * c.columns + within;
        if (i >= c.width) continue;
        const int row = within / COLUMNS * TILE_ROWS + within % COLUMNS;
        const float *sums = shared.sums + row * SUM_STRIDE + s;
        const size_t place = (size_t)(first + s) * c.width + i;
        c.dx[place] = sums[0];
        before[place] = __ldcg(before + place) + sums[COLUMNS * SUM_STRIDE];
    }
}
} // namespace chain

struct BackwardChainArguments {
    RingStepBackwardArguments ring; // its `from`, `d_hidden` and `d_before` are not looked at
    chain::CellBackward cell;
};
ASSERT_SIZE(BackwardChainArguments, 304);
ASSERT_OFFSET(BackwardChainArguments, ring, 0);
ASSERT_OFFSET(BackwardChainArguments, cell, 240);

// What a block does is known to the compiler, as in forward_chain.cu.
template <class W, class P, bool computes, bool rings>
__device__ void backward_tokens(const BackwardChainArguments &g, int sample) {
    extern __shared__ uint4 shared_bytes[];
    const chain::CellBackward &c = g.cell;
    const chain::SharedBackward shared(shared_bytes, c);
    const int tokens = g.ring.ring.tokens;
    const RowSource &read = g.ring.read; // of token 0
    unsigned *computed = computed_of + BACKWARD, *stepped = stepped_of + BACKWARD;
    const RingAxis<P> axis = {g.ring.ring.ring_len, g.ring.ring.theta_ptr, g.ring.ring.theta_gate};
    // Of a token, of the one after, and of the one before, which the last warp prepares meanwhile.
    __shared__ Prepared prepared[3];
    const bool prepares = threadIdx.x / 32 == chain::BACKWARD_WARPS - 1;
    RingSampleBackward at(g.ring, rings ? sample : 0);
    if (rings && prepares) prepare(g.ring, axis, sample, tokens - 1, prepared[(tokens - 1) % 3]);
    if (computes) chain::keep_cell<W>(shared, c);
#pragma unroll 1
    for (int i = 0; i < tokens; i++) {
        const int t = tokens - 1 - i;
        float *after = i % 2 ? c.dh[1] : c.dh[0], *before = i % 2 ? c.dh[0] : c.dh[1];
        if (rings) {
            wait_for(computed, i * c.blocks);
            if (prepares) {
                if (t > 0) prepare(g.ring, axis, sample, t - 1, prepared[(t - 1) % 3]);
            } else {
                const Prepared &now = prepared[t % 3], &next = prepared[(t + 1) % 3];
                float d_heads[4], d_target;
                ring_step_backward<AllButLastWarp>(g.ring, sample, t,
                                                   read.of_token(t + 1, c.batch, c.width), next.taps,
                                                   now, after, before, at, d_heads, d_target);
                arrive<AllButLastWarp>(stepped);
                ring_step_finish<AllButLastWarp>(g.ring, sample, t, at, d_heads, d_target);
                if (t > 0)
                    ring_step_prefetch<AllButLastWarp>(g.ring, sample, t - 1,
                                                       read.of_token(t, c.batch, c.width), now.taps);
            }
        }
        if (computes) {
            wait_for(stepped, (i + 1) * c.batch);
#pragma unroll 1
            for (int s = 0; s < c.batch; s += chain::SAMPLES_AT_ONCE) {
                chain::gates_product<W>(shared, c, t, s);
                chain::hand_on(shared, c, s, before);
            }
            arrive(computed);
        }
    }
}

template <class W, class P> __device__ void backward_chain(const BackwardChainArguments &g) {
    const int sample = gridDim.x - 1 - blockIdx.x;
    if (blockIdx.x >= g.cell.blocks)
        backward_tokens<W, P, false, true>(g, sample);
    else if (sample >= g.cell.batch)
        backward_tokens<W, P, true, false>(g, sample);
    else
        backward_tokens<W, P, true, true>(g, sample);
}

FOR_HALVES_AND_POINTERS(backward_chain, __launch_bounds__(chain::BACKWARD_WARPS * 32, 1),
                        BackwardChainArguments)
