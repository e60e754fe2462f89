// Blocks of one cooperative launch that wait for each other: counters in global memory that only grow,
// cleared before the launch. They are the module's own: a step asks for no memory for them.
//
// What a block wrote before it arrives is seen by whoever has waited, if it is read past the cache of
// the multiprocessor (`__ldcg`), which may hold an older value. That cache is not emptied by a wait, as
// an acquiring load would: what no other block writes stays in it from token to token.
#pragma once
#include "numeric.cuh"

// The chains of a step, each with counters of its own: blocks that are done with the cell, samples that
// are done with the ring. The twin of `Counters` in chain.rs.
enum Chain : int { FORWARD, BACKWARD, CHAINS };
__device__ unsigned computed_of[CHAINS], stepped_of[CHAINS];

extern "C" __global__ void clear_counters(const int chain) {
    computed_of[chain] = 0;
    stepped_of[chain] = 0;
}

// To be called by all threads of the group, the block's first among them.
template <class Group = Block> __device__ inline void arrive(unsigned *counter) {
    Group::sync();
    if (threadIdx.x == 0)
        asm volatile("red.release.gpu.global.add.u32 [%0], 1;" ::"l"(counter) : "memory");
}

// Returns when `arrivals` were counted. To be called by all threads of the block.
__device__ inline void wait_for(const unsigned *counter, unsigned arrivals) {
    if (threadIdx.x == 0) {
        unsigned seen;
        do {
            asm volatile("ld.relaxed.gpu.global.u32 %0, [%1];"
                         : "=r"(seen)
                         : "l"(counter)
                         : "memory");
        } while (seen < arrivals);
    }
    __syncthreads();
}

struct WaitForSamplesArguments {
    int chain;
    unsigned samples;
};
ASSERT_SIZE(WaitForSamplesArguments, 8);
ASSERT_OFFSET(WaitForSamplesArguments, chain, 0);
ASSERT_OFFSET(WaitForSamplesArguments, samples, 4);

// Returns when the chain, which is running or has run, is done with the ring of so many samples, token
// by token. One thread: it leaves room on its multiprocessor for every block of the chain.
extern "C" __global__ void wait_for_samples(const __grid_constant__ WaitForSamplesArguments p) {
    const volatile unsigned *stepped = stepped_of + p.chain;
    while (*stepped < p.samples) __nanosleep(500);
}
