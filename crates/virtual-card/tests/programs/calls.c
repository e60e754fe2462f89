// A library that allocates by what it is given.
#include <stddef.h>

int calls(int (*allocate)(unsigned long long *, size_t, void *));

int calls(int (*allocate)(unsigned long long *, size_t, void *)) {
    unsigned long long address;
    int answer = allocate(&address, 4000, NULL);
    __asm__ volatile("" ::: "memory");
    return answer;
}
