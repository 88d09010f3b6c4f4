// Calls the printed functions, a case a line; prints what each one answered.
package main

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	// IMPORTS
)

type given struct {
	header                       http.Header
	method                       string
	body, query, payload         []byte
	secrets                      []string
	now                          time.Time
}

func verify(module string, it given) (answer string) {
	defer func() {
		if reason := recover(); reason != nil {
			answer = fmt.Sprint("threw ", reason)
		}
	}()
	switch module {
	// CALLS
	}
	return "no such module"
}

func decode(field string) []byte {
	bytes, err := base64.StdEncoding.DecodeString(field)
	if err != nil {
		panic(err)
	}
	return bytes
}

func main() {
	file, err := os.Open(os.Args[1])
	if err != nil {
		panic(err)
	}
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		fields := strings.Split(lines.Text(), "\t")
		it := given{header: http.Header{}, method: fields[3], body: decode(fields[4]),
			query: decode(fields[5]), payload: decode(fields[6])}
		for _, pair := range strings.Split(fields[2], ",") {
			if name, value, found := strings.Cut(pair, "="); found {
				it.header.Set(name, string(decode(value)))
			}
		}
		for _, secret := range strings.Split(fields[7], ",") {
			if secret != "" {
				it.secrets = append(it.secrets, string(decode(secret)))
			}
		}
		seconds, _ := strconv.ParseInt(fields[8], 10, 64)
		it.now = time.Unix(seconds, 0)
		fmt.Println(verify(fields[0], it))
	}
}
