// Rows of the ring around the pointer: the twin of ring_rows.rs.
#pragma once
#include "ring_axis.cuh"

// An element of a row after a write of h with weight w. Said as one operation, so that every kernel
// that writes comes to the same bits: the compiler could make one of some and two of others.
__device__ inline float written(float m, float w, float h) { return __fmaf_rn(w, h, m); }

// What the tape holds of a token: `RowSource` of ring_step_backward.rs.
struct RowSource {
    const float *rows; // [B,R,D], the state that the token read, or [B,5,D], the rows that it read
    int sample_rows;   // R or 5
    int by_tap;        // whether row j of a sample is tap j's, and not slot j's

    // The row that tap j of sample b read.
    __device__ const float *row(int b, const Taps &taps, int j, int d) const {
        return rows + ((size_t)b * sample_rows + (by_tap ? j : taps.slots[j])) * d;
    }

    // Of token `t`, where this is of token 0.
    __device__ RowSource of_token(int t, int batch, int d) const {
        return {rows + (size_t)t * batch * sample_rows * d, sample_rows, by_tap};
    }
};
ASSERT_SIZE(RowSource, 16);
ASSERT_OFFSET(RowSource, rows, 0);
ASSERT_OFFSET(RowSource, sample_rows, 8);
ASSERT_OFFSET(RowSource, by_tap, 12);
