/*
 * Records what a process writes to the files of one directory, for the power-cut test.
 *
 * Preloaded, it stands in front of libc's calls. Each call that changes a file below
 * RECORDER_DIRECTORY is made, then appended to RECORDER_TRACE, before the caller goes on. One lock
 * is held over both, so the trace has the order of the disk. A sync that the caller saw end
 * therefore stands in the trace before anything that the caller did afterwards.
 *
 * A record: operation (1 byte), path length (4), offset (8), data length (4), path, data;
 * little endian, as on the machines where this runs.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum operation { WRITE = 1, TRUNCATE = 2, SYNC = 3, UNLINK = 4, RENAME = 5, SYNC_FAILED = 6 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int trace = -1;
static char directory[PATH_MAX];
static size_t directory_length;

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

__attribute__((constructor)) static void start(void) {
    const char *path = getenv("RECORDER_TRACE");
    const char *below = getenv("RECORDER_DIRECTORY");
    if (path == NULL || below == NULL || realpath(below, directory) == NULL) return;
    directory_length = strlen(directory);
    trace = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static int is_below(const char *path) {
    return trace >= 0 && strncmp(path, directory, directory_length) == 0;
}

/* The path of an open file, or 0 if it is not one of ours. */
static int path_of(int file, char *path) {
    char link[64];
    int kept = errno;
    if (trace < 0 || file == trace) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    errno = kept;
    if (length <= 0) return 0;
    path[length] = '\0';
    return is_below(path);
}

static void put(const void *bytes, size_t length) {
    static ssize_t (*real)(int, const void *, size_t);
    if (real == NULL) real = REAL(write);
    const char *from = bytes;
    while (length > 0) {
        ssize_t written = real(trace, from, length);
        if (written <= 0) abort(); /* a trace with a hole would prove nothing */
        from += written;
        length -= (size_t)written;
    }
}

static void record(enum operation operation, const char *path, int64_t offset,
                   const void *data, size_t length) {
    int kept = errno;
    uint32_t path_length = (uint32_t)strlen(path), data_length = (uint32_t)length;
    size_t total = 17 + path_length + length;
    char *whole = malloc(total);
    if (whole == NULL) abort();
    whole[0] = (char)operation;
    memcpy(whole + 1, &path_length, 4);
    memcpy(whole + 5, &offset, 8);
    memcpy(whole + 13, &data_length, 4);
    memcpy(whole + 17, path, path_length);
    if (length > 0) memcpy(whole + 17 + path_length, data, length);
    put(whole, total);
    free(whole);
    errno = kept;
}

#define AROUND(call)                   \
    pthread_mutex_lock(&lock);         \
    __typeof__(call) result = (call)

#define DONE                      \
    pthread_mutex_unlock(&lock);  \
    return result

ssize_t write(int file, const void *data, size_t length) {
    char path[PATH_MAX];
    if (!path_of(file, path)) return REAL(write)(file, data, length);
    AROUND(REAL(write)(file, data, length));
    if (result > 0) {
        int64_t offset = lseek(file, 0, SEEK_CUR) - result;
        record(WRITE, path, offset, data, (size_t)result);
    }
    DONE;
}

ssize_t pwrite64(int file, const void *data, size_t length, off64_t offset) {
    char path[PATH_MAX];
    if (!path_of(file, path)) return REAL(pwrite64)(file, data, length, offset);
    AROUND(REAL(pwrite64)(file, data, length, offset));
    if (result > 0) record(WRITE, path, offset, data, (size_t)result);
    DONE;
}

ssize_t pwrite(int file, const void *data, size_t length, off_t offset) {
    return pwrite64(file, data, length, offset);
}

ssize_t writev(int file, const struct iovec *parts, int count) {
    char path[PATH_MAX];
    if (!path_of(file, path)) return REAL(writev)(file, parts, count);
    ssize_t total = 0;
    for (int i = 0; i < count; i++) {
        ssize_t written = write(file, parts[i].iov_base, parts[i].iov_len);
        if (written < 0) return total > 0 ? total : written;
        total += written;
        if ((size_t)written < parts[i].iov_len) break;
    }
    return total;
}

ssize_t pwritev(int file, const struct iovec *parts, int count, off_t offset) {
    char path[PATH_MAX];
    if (!path_of(file, path)) return REAL(pwritev)(file, parts, count, offset);
    ssize_t total = 0;
    for (int i = 0; i < count; i++) {
        ssize_t written = pwrite64(file, parts[i].iov_base, parts[i].iov_len, offset + total);
        if (written < 0) return total > 0 ? total : written;
        total += written;
        if ((size_t)written < parts[i].iov_len) break;
    }
    return total;
}

int ftruncate64(int file, off64_t length) {
    char path[PATH_MAX];
    if (!path_of(file, path)) return REAL(ftruncate64)(file, length);
    AROUND(REAL(ftruncate64)(file, length));
    if (result == 0) record(TRUNCATE, path, length, NULL, 0);
    DONE;
}

int ftruncate(int file, off_t length) { return ftruncate64(file, length); }

int fsync(int file) {
    char path[PATH_MAX];
    if (!path_of(file, path)) return REAL(fsync)(file);
    AROUND(REAL(fsync)(file));
    record(result == 0 ? SYNC : SYNC_FAILED, path, 0, NULL, 0);
    DONE;
}

int fdatasync(int file) {
    char path[PATH_MAX];
    if (!path_of(file, path)) return REAL(fdatasync)(file);
    AROUND(REAL(fdatasync)(file));
    record(result == 0 ? SYNC : SYNC_FAILED, path, 0, NULL, 0);
    DONE;
}

int unlink(const char *path) {
    if (!is_below(path)) return REAL(unlink)(path);
    AROUND(REAL(unlink)(path));
    if (result == 0) record(UNLINK, path, 0, NULL, 0);
    DONE;
}

int rename(const char *from, const char *to) {
    if (!is_below(from)) return REAL(rename)(from, to);
    AROUND(REAL(rename)(from, to));
    if (result == 0) record(RENAME, from, 0, to, strlen(to));
    DONE;
}
