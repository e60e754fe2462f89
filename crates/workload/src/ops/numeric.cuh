// The numbers a mode computes in, as in numeric.rs: buffers hold fp32, the operands of products
// are rounded to the mode's numbers, sums stay fp32. Rounded weights are stored as half.
#pragma once
#include <cstddef>
#include <cuda_bf16.h>
#include <cuda_fp16.h>

enum Mode : int { FP32 = 0, FP16 = 1, BF16 = 2 };

__device__ inline float round_to(int mode, float x) {
    if (mode == FP16) return __half2float(__float2half_rn(x));
    if (mode == BF16) return __bfloat162float(__float2bfloat16_rn(x));
    return x;
}

__device__ inline float value(float w) { return w; }
__device__ inline float value(__half w) { return __half2float(w); }
__device__ inline float value(__nv_bfloat16 w) { return __bfloat162float(w); }

__device__ inline float sigmoid(float x) { return 1.0f / (1.0f + expf(-x)); }

// The layout of a kernel's argument struct, which the Rust side asserts with the same numbers.
#define ASSERT_SIZE(STRUCT, BYTES) static_assert(sizeof(STRUCT) == BYTES, #STRUCT)
#define ASSERT_OFFSET(STRUCT, FIELD, BYTES)                                                       \
    static_assert(offsetof(STRUCT, FIELD) == BYTES, #STRUCT "." #FIELD)

// A pointer of an argument struct, of which the compiler does not know by itself that it points to
// global memory: without this every access is a generic one, which cannot move past shared memory.
template <class T> __device__ inline T *global(T *p) {
    return (T *)__cvta_global_to_generic(__cvta_generic_to_global(p));
}

// Defines NAME_fp32, NAME_fp16 and NAME_bf16, kernels that take one struct, from a function that is
// a template over the type of the products' weights.
#define FOR_WEIGHTS(NAME, BOUNDS, STRUCT)                                                         \
    extern "C" __global__ void BOUNDS NAME##_fp32(const STRUCT p) { NAME<float>(p); }             \
    extern "C" __global__ void BOUNDS NAME##_fp16(const STRUCT p) { NAME<__half>(p); }            \
    extern "C" __global__ void BOUNDS NAME##_bf16(const STRUCT p) { NAME<__nv_bfloat16>(p); }

// Defines NAME_fp16 and NAME_bf16, of the types of half precision alone.
#define FOR_HALVES(NAME, BOUNDS, STRUCT)                                                          \
    extern "C" __global__ void BOUNDS NAME##_fp16(const __grid_constant__ STRUCT p) {             \
        NAME<__half>(p);                                                                          \
    }                                                                                             \
    extern "C" __global__ void BOUNDS NAME##_bf16(const __grid_constant__ STRUCT p) {             \
        NAME<__nv_bfloat16>(p);                                                                   \
    }

// Defines NAME_fp64 and NAME_fp32 from a function that is a template over the pointer's type.
#define FOR_POINTERS(NAME, BOUNDS, STRUCT)                                                        \
    extern "C" __global__ void BOUNDS NAME##_fp64(const STRUCT p) { NAME<double>(p); }            \
    extern "C" __global__ void BOUNDS NAME##_fp32(const STRUCT p) { NAME<float>(p); }

// Defines NAME_fp16_fp64 and its like: of the types of half precision and the pointer's.
#define FOR_HALVES_AND_POINTERS(NAME, BOUNDS, STRUCT)                                             \
    FOR_HALF_AND_POINTERS(NAME, fp16, __half, BOUNDS, STRUCT)                                     \
    FOR_HALF_AND_POINTERS(NAME, bf16, __nv_bfloat16, BOUNDS, STRUCT)
#define FOR_HALF_AND_POINTERS(NAME, NUMBER, W, BOUNDS, STRUCT)                                    \
    extern "C" __global__ void BOUNDS NAME##_##NUMBER##_fp64(const __grid_constant__ STRUCT p) {  \
        NAME<W, double>(p);                                                                       \
    }                                                                                             \
    extern "C" __global__ void BOUNDS NAME##_##NUMBER##_fp32(const __grid_constant__ STRUCT p) {  \
        NAME<W, float>(p);                                                                        \
    }

// All threads of a block.
struct Block {
    __device__ static int threads() { return blockDim.x; }
    __device__ static void sync() { __syncthreads(); }
};

// A block's threads but for its last warp's, which is about something else meanwhile.
struct AllButLastWarp {
    __device__ static int threads() { return blockDim.x - 32; }
    __device__ static void sync() { asm volatile("bar.sync 1, %0;" ::"r"(threads()) : "memory"); }
};

// Sums `v[0..N)` over the threads of a group; every thread gets the sums. The order is fixed, so a
// sum is the same in every run.
template <class Group = Block, int N> __device__ inline void block_sum(float (&v)[N]) {
    __shared__ float partial[32][N];
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, warps = Group::threads() / 32;
#pragma unroll
    for (int i = 0; i < N; i++) {
#pragma unroll
        for (int offset = 16; offset > 0; offset /= 2)
            v[i] += __shfl_xor_sync(0xffffffffu, v[i], offset);
    }
    Group::sync(); // an earlier sum has been read
    if (lane == 0) {
#pragma unroll
        for (int i = 0; i < N; i++) partial[warp][i] = v[i];
    }
    Group::sync();
#pragma unroll
    for (int i = 0; i < N; i++) {
        v[i] = lane < warps ? partial[lane][i] : 0.0f;
#pragma unroll
        for (int offset = 16; offset > 0; offset /= 2)
            v[i] += __shfl_xor_sync(0xffffffffu, v[i], offset);
    }
}
