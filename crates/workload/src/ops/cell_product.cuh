// A block's share of a cell's product, its weights kept in shared memory from token to token:
//
//   sums[row, sample] = sum_k weights[row, k] * values[sample, k]
//
// Tensor cores multiply 16 rows of half-precision weights with 8 samples, 16 values of k at a time;
// sums are fp32. Values are fp32 in memory and already rounded to the weights' numbers or rounded
// here. k is spread over the warps, whose sums are added in a fixed order.
#pragma once
#include "numeric.cuh"

namespace chain {
constexpr int TILE_ROWS = 16, TILE_DEPTH = 16, TILE_SAMPLES = 8;
// Rows and samples of one product, at most; more samples are taken in turns.
constexpr int MOST_TILES = 2, SAMPLES_AT_ONCE = 32;

// Sums of a product, [rows][samples], with a column more so that rows lie in different banks.
constexpr int SUM_STRIDE = SAMPLES_AT_ONCE + 1;

__host__ __device__ constexpr int steps(int depth) { return (depth + TILE_DEPTH - 1) / TILE_DEPTH; }

template <class W> struct Pair;
template <> struct Pair<__half> {
    __device__ static unsigned pack(float a, float b) {
        const __half2 pair = __floats2half2_rn(a, b);
        return *reinterpret_cast<const unsigned *>(&pair);
    }
    __device__ static unsigned join(__half a, __half b) {
        const __half2 pair = __halves2half2(a, b);
        return *reinterpret_cast<const unsigned *>(&pair);
    }
};
template <> struct Pair<__nv_bfloat16> {
    __device__ static unsigned pack(float a, float b) {
        const __nv_bfloat162 pair = __floats2bfloat162_rn(a, b);
        return *reinterpret_cast<const unsigned *>(&pair);
    }
    __device__ static unsigned join(__nv_bfloat16 a, __nv_bfloat16 b) {
        const __nv_bfloat162 pair = __halves2bfloat162(a, b);
        return *reinterpret_cast<const unsigned *>(&pair);
    }
};

#if __CUDA_ARCH__ >= 800
__device__ inline void multiply(float (&c)[4], const uint4 &a, const uint2 &b, __half) {
    asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 "
        "{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a.x), "r"(a.y), "r"(a.z), "r"(a.w), "r"(b.x), "r"(b.y));
}

__device__ inline void multiply(float (&c)[4], const uint4 &a, const uint2 &b, __nv_bfloat16) {
    asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
        "{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a.x), "r"(a.y), "r"(a.z), "r"(a.w), "r"(b.x), "r"(b.y));
}
#else
// Cards without these products run a launch for each token.
template <class W>
__device__ inline void multiply(float (&)[4], const uint4 &, const uint2 &, W) {}
#endif

// What a lane multiplies by in one step of a tile: `of(row, k)` is the weight, zero beyond the matrix.
// It takes k = 4q .. 4q+3 of its rows, where q is its number modulo four: the products add over k, so
// that any order does, and in this one its values are one load.
template <class W, class F> __device__ uint4 fragment(int first_row, int first_k, int lane, F of) {
    const int row = first_row + lane / 4, k = first_k + lane % 4 * 4;
    return make_uint4(Pair<W>::join(of(row, k), of(row, k + 1)),
                      Pair<W>::join(of(row + 8, k), of(row + 8, k + 1)),
                      Pair<W>::join(of(row, k + 2), of(row, k + 3)),
                      Pair<W>::join(of(row + 8, k + 2), of(row + 8, k + 3)));
}

// Puts weights where the tensor cores take them from.
template <class W, class F>
__device__ void keep_weights(uint4 *weights, int depth, int tiles, F of) {
#pragma unroll 1
    for (int i = threadIdx.x; i < steps(depth) * tiles * 32; i += blockDim.x) {
        const int tile = i / 32 % tiles, step = i / 32 / tiles;
        weights[i] = fragment<W>(tile * TILE_ROWS, step * TILE_DEPTH, i % 32, of);
    }
}

// Four values from `k` on of a row of `depth`, zero beyond it. Another block may have written them.
__device__ inline float4 four(const float *row, int k, int depth, bool aligned) {
    if (aligned)
        return k < depth ? __ldcg((const float4 *)(row + k)) : make_float4(0, 0, 0, 0);
    return make_float4(k < depth ? __ldcg(row + k) : 0, k + 1 < depth ? __ldcg(row + k + 1) : 0,
                       k + 2 < depth ? __ldcg(row + k + 2) : 0,
                       k + 3 < depth ? __ldcg(row + k + 3) : 0);
}

// Of SAMPLE_TILES tiles of samples: see product below. A call and no copy at every use: what a token
// runs through once has to stay in the cache of instructions.
template <class W, int WARPS, int SAMPLE_TILES>
__device__ __noinline__ void product_of(const uint4 *weights, int tiles, const float *values, int stride, int depth,
                        int samples, float *partial, float *sums) {
    // Steps whose loads are in flight at once: all of a warp's, at the widths of the presets.
    constexpr int TOGETHER = SAMPLE_TILES == 1 ? 12 : 4;
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    const int row = lane / 4, column = lane % 4;
    const bool aligned = depth % 4 == 0 && stride % 4 == 0;
    const int all = steps(depth);
    float sum[MOST_TILES][SAMPLE_TILES][4] = {};
#pragma unroll 1
    for (int first = warp; first < all; first += WARPS * TOGETHER) {
        float4 loaded[TOGETHER][SAMPLE_TILES];
#pragma unroll
        for (int i = 0; i < TOGETHER; i++) {
            const int k = (first + i * WARPS) * TILE_DEPTH + column * 4;
#pragma unroll
            for (int n = 0; n < SAMPLE_TILES; n++) {
                const int sample = n * TILE_SAMPLES + row;
                loaded[i][n] = sample < samples && k < depth
                                   ? four(values + (size_t)sample * stride, k, depth, aligned)
                                   : make_float4(0, 0, 0, 0);
            }
        }
#pragma unroll
        for (int i = 0; i < TOGETHER; i++) {
            const int step = first + i * WARPS;
            if (step >= all) break;
#pragma unroll
            for (int tile = 0; tile < MOST_TILES; tile++) {
                if (tile >= tiles) break;
                const uint4 a = weights[(step * tiles + tile) * 32 + lane];
#pragma unroll
                for (int n = 0; n < SAMPLE_TILES; n++) {
                    if (n * TILE_SAMPLES >= samples) break;
                    const float4 v = loaded[i][n];
                    const uint2 b = make_uint2(Pair<W>::pack(v.x, v.y), Pair<W>::pack(v.z, v.w));
                    multiply(sum[tile][n], a, b, W());
                }
            }
        }
    }
    constexpr int SAMPLES = TILE_SAMPLES * SAMPLE_TILES;
    const int rows = tiles * TILE_ROWS;
#pragma unroll
    for (int tile = 0; tile < MOST_TILES; tile++) {
        if (tile >= tiles) break;
#pragma unroll
        for (int n = 0; n < SAMPLE_TILES; n++) {
            if (n * TILE_SAMPLES >= samples) break;
            float *to = partial + ((size_t)warp * rows + tile * TILE_ROWS + row) * SUM_STRIDE +
                        n * TILE_SAMPLES + column * 2;
            to[0] = sum[tile][n][0];
            to[1] = sum[tile][n][1];
            to[8 * SUM_STRIDE] = sum[tile][n][2];
            to[8 * SUM_STRIDE + 1] = sum[tile][n][3];
        }
    }
    __syncthreads();
#pragma unroll 1
    for (int i = threadIdx.x; i < rows * SAMPLES; i += WARPS * 32) {
        const int at = i / SAMPLES * SUM_STRIDE + i % SAMPLES;
        if (i % SAMPLES >= samples) continue;
        float total = 0.0f;
#pragma unroll
        for (int w = 0; w < WARPS; w++) total += partial[w * rows * SUM_STRIDE + at];
        sums[at] = total;
    }
    __syncthreads();
}

// Writes `sums` [tiles * 16][SUM_STRIDE] of up to SAMPLES_AT_ONCE samples, whose rows of `depth`
// values lie `stride` apart; `partial` is [WARPS][tiles * 16][SUM_STRIDE]. To be called by the whole
// block; the sums are there for all of it on return.
template <class W, int WARPS>
__device__ void product(const uint4 *weights, int tiles, const float *values, int stride, int depth,
                        int samples, float *partial, float *sums) {
    if (samples <= TILE_SAMPLES)
        product_of<W, WARPS, 1>(weights, tiles, values, stride, depth, samples, partial, sums);
    else if (samples <= 2 * TILE_SAMPLES)
        product_of<W, WARPS, 2>(weights, tiles, values, stride, depth, samples, partial, sums);
    else
        product_of<W, WARPS, 4>(weights, tiles, values, stride, depth, samples, partial, sums);
}
} // namespace chain
