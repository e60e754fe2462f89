// A small cell over many tokens in clusters of eight blocks, which hand each other values through
// their shared memory:
//
//   sums[row, sample] = sum_k weights[row, k] * values[sample, k]
//
// Each block has a share of the cell's units; its weights stay in registers, as the tensor cores take
// them (cell_product.cuh). Values are in the numbers of the weights, four to a place. Samples have
// nothing to do with each other: a cluster takes up to eight, and clusters do not wait for each other.
//
// What a block stores in another arrives with a count at a barrier there, and whoever reads it waits
// for the bytes of a token. Values have two places, in turns: a block that sends those of a token has
// received those of the one before from all, and they sent when they had read what is overwritten now.
#pragma once
#include "cell_product.cuh"

namespace cluster {
using chain::TILE_DEPTH;
using chain::TILE_ROWS;

constexpr int BLOCKS = 8, WARPS = 16, THREADS = 32 * WARPS;
constexpr int MOST_SAMPLES = chain::TILE_SAMPLES, MOST_WIDTH = 256;
// Of a warp's product: their weights are 64 registers of each thread.
constexpr int MOST_STEPS = 16;
// Sums of a tile are [16][SUM_STRIDE].
constexpr int SUM_STRIDE = MOST_SAMPLES + 1, TILE_SUMS = TILE_ROWS * SUM_STRIDE;

// Units of a block, in fours: that many values are sent at once.
__host__ __device__ constexpr int units(int width) {
    return ((width + BLOCKS - 1) / BLOCKS + 3) / 4 * 4;
}

// Blocks that have units. The others take no part: nothing is sent by them or to them.
__host__ __device__ constexpr int blocks(int width) {
    return (width + units(width) - 1) / units(width);
}

// Fours of values from one sample to the next. An odd number of steps: then four samples' values of
// one step lie in different banks.
__host__ __device__ constexpr int fours(int depth) { return (chain::steps(depth) | 1) * 4; }

__host__ __device__ constexpr int most_units() { return units(MOST_WIDTH); }

#if __CUDA_ARCH__ >= 900
__device__ inline unsigned rank() {
    unsigned rank;
    asm("mov.u32 %0, %%cluster_ctarank;" : "=r"(rank));
    return rank;
}

// Waits for all threads of the cluster, and for what they wrote.
__device__ inline void sync() {
    asm volatile("barrier.cluster.arrive.release;\n\tbarrier.cluster.wait.acquire;" ::: "memory");
}

__device__ inline unsigned address(const void *shared) {
    return (unsigned)__cvta_generic_to_shared(shared);
}

// Where this block's shared memory at `address` lies in another block.
__device__ inline unsigned address_in(unsigned address, unsigned block) {
    unsigned there;
    asm("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(there) : "r"(address), "r"(block));
    return there;
}

using Barrier = unsigned long long;

// By one thread: for the bytes that complete a barrier next.
__device__ inline void expect(Barrier &barrier, unsigned bytes) {
    asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(address(&barrier)),
                 "r"(bytes)
                 : "memory");
}
// Before `sync`, by all threads of the block.
__device__ inline void start(Barrier (&barriers)[2], unsigned bytes) {
    if (threadIdx.x == 0) {
        for (Barrier &barrier : barriers)
            asm volatile("mbarrier.init.shared::cta.b64 [%0], 1;" ::"r"(address(&barrier))
                         : "memory");
        asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
    }
    __syncthreads();
    if (threadIdx.x == 0)
        for (Barrier &barrier : barriers) expect(barrier, bytes);
}

// Returns when a barrier was completed `times + 1` times, which it was `times` times at least.
__device__ inline void wait_for(Barrier &barrier, int times) {
    unsigned is_complete;
    do {
        asm volatile("{\n\t.reg .pred p;\n\t"
                     "mbarrier.try_wait.parity.acquire.cluster.shared::cta.b64 p, [%1], %2;\n\t"
                     "selp.u32 %0, 1, 0, p;\n\t}"
                     : "=r"(is_complete)
                     : "r"(address(&barrier)), "r"(times & 1)
                     : "memory");
    } while (!is_complete);
}

// Stores in another block, which count themselves at a barrier there.
__device__ inline void send(unsigned to, uint2 values, unsigned barrier) {
    asm volatile("st.async.weak.shared::cluster.mbarrier::complete_tx::bytes.v2.b32 "
                 "[%0], {%1, %2}, [%3];" ::"r"(to),
                 "r"(values.x), "r"(values.y), "r"(barrier)
                 : "memory");
}
__device__ inline void send(unsigned to, uint4 values, unsigned barrier) {
    asm volatile("st.async.weak.shared::cluster.mbarrier::complete_tx::bytes.v4.b32 "
                 "[%0], {%1, %2, %3, %4}, [%5];" ::"r"(to),
                 "r"(values.x), "r"(values.y), "r"(values.z), "r"(values.w), "r"(barrier)
                 : "memory");
}

// A warp's part of a product: one tile over `count` steps from `first` on.
template <class W> struct Part {
    uint4 weights[MOST_STEPS];
    int first, count;

    // `of(row of the tile, k)` is the weight, zero beyond the matrix.
    template <class F> __device__ void keep(int first_step, int steps, F of) {
        first = first_step;
        count = steps;
#pragma unroll
        for (int i = 0; i < MOST_STEPS; i++)
            weights[i] = i < count ? chain::fragment<W>(0, (first + i) * TILE_DEPTH,
                                                        threadIdx.x % 32, of)
                                   : make_uint4(0, 0, 0, 0);
    }

    // The sums of the tile go to `sums`. Samples lie `stride` fours apart.
    __device__ void multiply(const uint2 *values, int stride, int samples, float *sums) const {
        __syncwarp();
        if (count <= 4) multiply_steps<4>(values, stride, samples, sums);
        else if (count <= 8) multiply_steps<8>(values, stride, samples, sums);
        else if (count <= 12) multiply_steps<12>(values, stride, samples, sums);
        else multiply_steps<MOST_STEPS>(values, stride, samples, sums);
    }

  private:
    // Steps beyond `count` are of zeros: all loads are in flight at once, and the sums of every
    // fourth step do not wait for the others.
    template <int STEPS>
    __device__ void multiply_steps(const uint2 *values, int stride, int samples, float *sums) const {
        constexpr int APART = 4;
        const int lane = threadIdx.x % 32, row = lane / 4, column = lane % 4;
        const uint2 *from = values + row * stride + first * 4 + column;
        uint2 loaded[STEPS];
#pragma unroll
        for (int i = 0; i < STEPS; i++)
            loaded[i] = row < samples && i < count ? from[i * 4] : make_uint2(0, 0);
        float sum[APART][4] = {};
#pragma unroll
        for (int i = 0; i < STEPS; i++) chain::multiply(sum[i % APART], weights[i], loaded[i], W());
#pragma unroll
        for (int i = 0; i < 4; i++) sum[0][i] = (sum[0][i] + sum[1][i]) + (sum[2][i] + sum[3][i]);
        float *to = sums + row * SUM_STRIDE + column * 2;
        to[0] = sum[0][0];
        to[1] = sum[0][1];
        to[8 * SUM_STRIDE] = sum[0][2];
        to[8 * SUM_STRIDE + 1] = sum[0][3];
    }
};

template <class W> __device__ inline uint2 pack(float a, float b, float c, float d) {
    return make_uint2(chain::Pair<W>::pack(a, b), chain::Pair<W>::pack(c, d));
}
#endif
} // namespace cluster
