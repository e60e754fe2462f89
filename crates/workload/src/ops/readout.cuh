// The readout's heads and softmax, forward and backward.
#pragma once
#include "numeric.cuh"

constexpr int CLASSES = 256; // one thread a class

// A table holds the addresses of every head's weight [C,D] and bias [C] in turn.
template <class W> __device__ inline const W *head_weight(const void *const *table, int head) {
    return (const W *)table[2 * head];
}
template <class W> __device__ inline const W *head_bias(const void *const *table, int head) {
    return (const W *)table[2 * head + 1];
}

// log(sum(exp(v))) over the block's 256 values.
__device__ inline float log_sum_exp(float v) {
    constexpr int WARPS = CLASSES / 32;
    __shared__ float tops[WARPS];
    float top = v;
#pragma unroll
    for (int offset = 16; offset > 0; offset /= 2)
        top = fmaxf(top, __shfl_xor_sync(0xffffffffu, top, offset));
    tops[threadIdx.x / 32] = top;
    __syncthreads();
#pragma unroll
    for (int i = 0; i < WARPS; i++) top = fmaxf(top, tops[i]);
    float sum[1] = {expf(v - top)};
    block_sum(sum);
    return top + logf(sum[0]);
}
