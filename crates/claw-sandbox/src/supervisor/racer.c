/*
 * Executes `touch` again and again from a vfork child, while a thread of its parent, which shares the child's memory,
 * swaps the argument between a file that may be named and one that may not.
 *
 * racer COUNT TOUCH ALLOWED DENIED
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char argument[256];
static const char *names[2];
static volatile int ended;

static void *swap(void *unused) {
    for (int turn = 0; !ended; turn = !turn)
        for (int i = 0; i < 200; i++)
            memcpy(argument, names[turn], strlen(names[turn]) + 1);
    return unused;
}

int main(int count, char **words) {
    if (count != 5)
        return 2;
    names[0] = words[3];
    names[1] = words[4];
    char *arguments[] = {"touch", argument, NULL};
    char *environment[] = {NULL};
    pthread_t thread;
    if (pthread_create(&thread, NULL, swap, NULL))
        return 2;
    for (int left = atoi(words[1]); left > 0; left--) {
        pid_t child = vfork();
        if (child == 0) {
            execve(words[2], arguments, environment);
            _exit(1);
        }
        waitpid(child, NULL, 0);
    }
    ended = 1;
    pthread_join(thread, NULL);
    return 0;
}
