// The states of some tokens, one from the other: the twin of write_states.rs.
//
// Few blocks, for they run beside the chain of tokens, which must find room on every multiprocessor.
// Each has a part of the ring's rows, sample by sample: the taps of a sample's tokens are computed
// once, by a warp a token, and every element is read once, kept, and written once a token.
#include "ring_rows.cuh"

constexpr int MOST_STATES = 8;

struct WriteStatesArguments {
    float *states;          // [1+count,B,R,D], the first written
    const double *pointers; // [count,B], before each token
    const float *hidden;    // [count,B,D], after each token
    int count, batch, ring_len, slot_dim;
};
ASSERT_SIZE(WriteStatesArguments, 40);
ASSERT_OFFSET(WriteStatesArguments, states, 0);
ASSERT_OFFSET(WriteStatesArguments, pointers, 8);
ASSERT_OFFSET(WriteStatesArguments, hidden, 16);
ASSERT_OFFSET(WriteStatesArguments, count, 24);
ASSERT_OFFSET(WriteStatesArguments, batch, 28);
ASSERT_OFFSET(WriteStatesArguments, ring_len, 32);
ASSERT_OFFSET(WriteStatesArguments, slot_dim, 36);

__device__ inline float4 written(float4 m, float w, float4 h) {
    return {written(m.x, w, h.x), written(m.y, w, h.y), written(m.z, w, h.z), written(m.w, w, h.w)};
}

// `rows` rows of sample b from slot `slot` on. V: as many elements of a row as one access takes.
template <class V>
__device__ void write_rows(const WriteStatesArguments &g, const int (&first)[MOST_STATES],
                           const float (&weights)[MOST_STATES][TAPS], int b, int slot, int rows) {
    const int width = g.slot_dim / (int)(sizeof(V) / sizeof(float));
    const size_t state = (size_t)g.batch * g.ring_len * width;
    V *const part = global((V *)g.states) + ((size_t)b * g.ring_len + slot) * width;
    const V *const hidden = global((const V *)g.hidden) + (size_t)b * width;
    const size_t elements = (size_t)rows * width;
    for (size_t e = threadIdx.x; e < elements; e += blockDim.x) {
        const int row = slot + (int)(e / width), i = (int)(e % width);
        V *to = part + e;
        V m = *to;
        for (int k = 0; k < g.count; k++) {
            int j = row - first[k]; // the first tap on this row; further ones are a turn away
            if (j < 0) j += g.ring_len;
            for (; j < TAPS; j += g.ring_len)
                m = written(m, weights[k][j], hidden[(size_t)k * g.batch * width + i]);
            to += state;
            __stcs(to, m);
        }
    }
}

template <class P> __device__ void write_states(const WriteStatesArguments &g) {
    __shared__ int first[MOST_STATES];
    __shared__ float weights[MOST_STATES][TAPS];
    const RingAxis<P> axis = {g.ring_len, nullptr, nullptr};
    const size_t all = (size_t)g.batch * g.ring_len;
    const size_t end = all * (blockIdx.x + 1) / gridDim.x;
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    for (size_t row = all * blockIdx.x / gridDim.x; row < end;) {
        const int b = (int)(row / g.ring_len), slot = (int)(row % g.ring_len);
        const int rows = (int)min((size_t)(g.ring_len - slot), end - row);
        if (warp < g.count) {
            const Taps taps = axis.taps(g.pointers[(size_t)warp * g.batch + b]);
            if (lane == 0) {
                first[warp] = taps.slots[0];
#pragma unroll
                for (int j = 0; j < TAPS; j++) weights[warp][j] = taps.weights[j];
            }
        }
        __syncthreads();
        if (g.slot_dim % 4 == 0)
            write_rows<float4>(g, first, weights, b, slot, rows);
        else
            write_rows<float>(g, first, weights, b, slot, rows);
        __syncthreads(); // every thread has used the taps
        row += rows;
    }
}
FOR_POINTERS(write_states, __launch_bounds__(384), WriteStatesArguments)
