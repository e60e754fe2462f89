// Asks for memory as a training step does, each kind in a function of its own, with a mark after each phase.
#include "card.h"

enum { LAYERS = 3 };

static Address weights, saved[LAYERS], moments;

static void load(void) {
    must(cuMemAllocAsync(&weights, 4 << 20, 0));
}

static void layer(int number) {
    must(cuMemAllocAsync(&saved[number], 2 << 20, 0));
}

static void forward(void) {
    for (int i = 0; i < LAYERS; i++) layer(i);
}

static void backward(void) {
    Address gradient = 0;
    for (int i = LAYERS - 1; i >= 0; i--) {
        Address next;
        must(cuMemAllocAsync(&next, 1 << 20, 0));
        if (gradient) must(cuMemFreeAsync(gradient, 0));
        gradient = next;
    }
    must(cuMemFreeAsync(gradient, 0));
}

int main(void) {
    open_card();
    load();
    mark("parameters");
    must(cuMemAllocAsync(&moments, 8 << 20, 0));
    mark("optimizer");
    for (int step = 0; step < 2; step++) {
        forward();
        mark("forward");
        backward();
        mark("backward");
        for (int i = 0; i < LAYERS; i++) must(cuMemFreeAsync(saved[i], 0));
        mark("update");
    }
    must(cuMemFreeAsync(moments, 0));
    must(cuMemFreeAsync(weights, 0));
}
