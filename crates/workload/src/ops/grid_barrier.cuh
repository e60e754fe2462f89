// Blocks of one cooperative launch that wait for each other: counters in global memory that only grow,
// cleared before the launch. They are the module's own: a step asks for no memory for them.
//
// What a block wrote before it arrives is seen by whoever has waited, if it is read past the cache of
// the multiprocessor (`__ldcg`), which may hold an older value. That cache is not emptied by a wait, as
// an acquiring load would: what no other block writes stays in it from token to token.
#pragma once

// The chains of a step, each with counters of its own: blocks that are done with the cell, samples that
// are done with the ring. The twin of `Counters` in chain.rs.
enum Chain : int { FORWARD, BACKWARD, CHAINS };
__device__ unsigned computed_of[CHAINS], stepped_of[CHAINS];

extern "C" __global__ void clear_counters(const int chain) {
    computed_of[chain] = 0;
    stepped_of[chain] = 0;
}

// To be called by all threads of the block.
__device__ inline void arrive(unsigned *counter) {
    __syncthreads();
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

// Returns when the forward chain, which is running or has run, is done with the ring of so many
// samples. One thread: it leaves room on its multiprocessor for every block of the chain.
extern "C" __global__ void wait_for_samples(const unsigned samples) {
    const volatile unsigned *stepped = stepped_of + FORWARD;
    while (*stepped < samples) __nanosleep(500);
}
