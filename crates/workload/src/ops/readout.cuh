// The readout's heads and softmax, forward and backward.
#pragma once
#include "numeric.cuh"

constexpr int CLASSES = 256;

// A block that goes through the weights of one head, of a sample: as many threads as there can be.
constexpr int READOUT_THREADS = 1024;

// Of these, one for each class.
struct ClassThreads {
    __device__ static int threads() { return CLASSES; }
    __device__ static void sync() { asm volatile("bar.sync 1, %0;" ::"n"(CLASSES) : "memory"); }
};

// A table holds the addresses of every head's weight [C,D] and bias [C] in turn.
template <class W> __device__ inline const W *head_weight(const void *const *table, int head) {
    return (const W *)table[2 * head];
}
template <class W> __device__ inline const W *head_bias(const void *const *table, int head) {
    return (const W *)table[2 * head + 1];
}

// log(sum(exp(v))) over the values of the threads of classes, which alone call it.
__device__ inline float log_sum_exp(float v) {
    constexpr int WARPS = CLASSES / 32;
    __shared__ float tops[WARPS];
    float top = v;
#pragma unroll
    for (int offset = 16; offset > 0; offset /= 2)
        top = fmaxf(top, __shfl_xor_sync(0xffffffffu, top, offset));
    tops[threadIdx.x / 32] = top;
    ClassThreads::sync();
#pragma unroll
    for (int i = 0; i < WARPS; i++) top = fmaxf(top, tops[i]);
    float sum[1] = {expf(v - top)};
    block_sum<ClassThreads>(sum);
    return top + logf(sum[0]);
}
