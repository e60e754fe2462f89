// A table of the parameters' places, in the flat order of gradients and moments.
#pragma once
#include "numeric.cuh"

struct Place {
    float *weight;
    unsigned long long end; // of its range in the flat order; it begins where the one before ends
    const float *gradient;  // null where there is none
};
ASSERT_SIZE(Place, 24);
ASSERT_OFFSET(Place, weight, 0);
ASSERT_OFFSET(Place, end, 8);
ASSERT_OFFSET(Place, gradient, 16);

// The parameter that holds element i of the flat order.
__device__ inline int place_of(const Place *places, int tensors, unsigned long long i) {
    int low = 0, high = tensors - 1;
    while (low < high) {
        const int middle = (low + high) / 2;
        if (i < places[middle].end)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

// Where element i lies in its parameter.
__device__ inline unsigned long long offset_in(const Place *places, int at, unsigned long long i) {
    return at == 0 ? i : i - places[at - 1].end;
}
