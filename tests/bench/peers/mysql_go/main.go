// SPDX-License-Identifier: MIT

// Go's database/sql with go-sql-driver: a connection for each goroutine.
//
//	mysql_go mysql_select TASKS COUNT SOCKET|PORT
package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	_ "github.com/go-sql-driver/mysql"
)

var ctx = context.Background()

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "mysql_go:", err)
		os.Exit(1)
	}
}

func cpu() float64 {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return float64(u.Utime.Sec+u.Stime.Sec) + float64(u.Utime.Usec+u.Stime.Usec)/1e6
}

func main() {
	tasks, err := strconv.Atoi(os.Args[2])
	must(err)
	count, err := strconv.Atoi(os.Args[3])
	must(err)
	dsn := "app:secret@tcp(127.0.0.1:" + os.Args[4] + ")/shop"
	if strings.HasPrefix(os.Args[4], "/") {
		dsn = "app@unix(" + os.Args[4] + ")/shop"
	}
	db, err := sql.Open("mysql", dsn)
	must(err)
	db.SetMaxOpenConns(tasks)
	db.SetMaxIdleConns(tasks)

	var ready, done sync.WaitGroup
	gate := make(chan bool)
	each := count / tasks
	for i := 0; i < tasks; i++ {
		ready.Add(1)
		done.Add(1)
		go func(state uint64) {
			defer done.Done()
			conn, err := db.Conn(ctx)
			must(err)
			stmt, err := conn.PrepareContext(ctx, "SELECT v FROM kv WHERE k = ?")
			must(err)
			var v string
			must(stmt.QueryRowContext(ctx, 1).Scan(&v))
			ready.Done()
			<-gate
			for n := 0; n < each; n++ {
				state ^= state << 13
				state ^= state >> 7
				state ^= state << 17
				must(stmt.QueryRowContext(ctx, int64(1+state%10000)).Scan(&v))
			}
		}(uint64(i)*2654435761 + 88172645463325252)
	}
	ready.Wait()
	begun, used := time.Now(), cpu()
	close(gate)
	done.Wait()
	wall := time.Since(begun).Seconds()
	n := each * tasks
	line, err := json.Marshal(map[string]interface{}{"row": os.Args[1], "n": n,
		"ns": wall * 1e9 / float64(n), "cpu_s": cpu() - used, "wall_s": wall})
	must(err)
	fmt.Println(string(line))
}
