// What forward and backward of a token are both given: the twin of `RingToken` in ring_step.rs.
#pragma once
#include "gru.cuh"
#include "ring_rows.cuh"

// `from` is the token that is over, -1 at the start; the token that follows is `from + 1`.
struct RingToken {
    const float *theta_ptr, *theta_gate, *context_logit;
    const float *head_weights[4], *head_biases[4]; // [D], []: jump, inertia, deadzone, walk
    int from, tokens, batch, ring_len, slot_dim, update_every, mode, padding;
};
ASSERT_SIZE(RingToken, 120);
ASSERT_OFFSET(RingToken, theta_ptr, 0);
ASSERT_OFFSET(RingToken, theta_gate, 8);
ASSERT_OFFSET(RingToken, context_logit, 16);
ASSERT_OFFSET(RingToken, head_weights, 24);
ASSERT_OFFSET(RingToken, head_biases, 56);
ASSERT_OFFSET(RingToken, from, 88);
ASSERT_OFFSET(RingToken, tokens, 92);
ASSERT_OFFSET(RingToken, batch, 96);
ASSERT_OFFSET(RingToken, ring_len, 100);
ASSERT_OFFSET(RingToken, slot_dim, 104);
ASSERT_OFFSET(RingToken, update_every, 108);
ASSERT_OFFSET(RingToken, mode, 112);
ASSERT_OFFSET(RingToken, padding, 116);
