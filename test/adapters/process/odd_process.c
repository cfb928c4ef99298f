/*
 * Processes that no shell can make. Prints "ready" and lives until it is killed.
 *
 *   odd_process zombie-leader [FILE]   the first thread ends, another lives on (and has FILE open for writing)
 *   odd_process private-table FILE     a thread with a table of fds of its own has FILE open for writing
 *   odd_process waiting                an uninterruptible wait (state D), for a child of vfork that lives on
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int private_table;
static const char *file;

static void *live(void *ignored) {
  (void)ignored;
  if (private_table && unshare(CLONE_FILES) != 0) return NULL;
  if (file != NULL && open(file, O_RDWR) < 0) return NULL;
  if (!private_table) {
    char state[64] = "";
    do {
      FILE *stat = fopen("/proc/self/stat", "r");
      if (stat == NULL || fscanf(stat, "%*d (%*[^)]) %63s", state) != 1) return NULL;
      fclose(stat);
      usleep(1000);
    } while (state[0] != 'Z');
  }
  puts("ready");
  fflush(stdout);
  for (;;) pause();
}

int main(int argc, char **argv) {
  pthread_t thread;
  if (argc < 2) return 64;
  if (strcmp(argv[1], "waiting") == 0) {
    puts("ready");
    fflush(stdout);
    if (vfork() == 0) {
      for (;;) pause();
    }
    return 1;
  }
  private_table = strcmp(argv[1], "private-table") == 0;
  file = argc > 2 ? argv[2] : NULL;
  if (pthread_create(&thread, NULL, live, NULL) != 0) return 1;
  if (!private_table) syscall(SYS_exit, 0);
  pthread_join(thread, NULL);
  return 1;
}
