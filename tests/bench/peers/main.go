// SPDX-License-Identifier: MIT

// Go: goroutines and channels, as its users write the rows.
//
//	gopeer ROW COUNT [TIMES] | gopeer echo PORT
package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

var count, times int

func status(key string) int {
	text, _ := os.ReadFile("/proc/self/status")
	for _, line := range strings.Split(string(text), "\n") {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == key+":" {
			kb, _ := strconv.Atoi(fields[1])
			return kb
		}
	}
	return 0
}

func cpu() float64 {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return float64(u.Utime.Sec+u.Stime.Sec) + float64(u.Utime.Usec+u.Stime.Usec)/1e6
}

func measured(row string, operations int, run func()) {
	rss, spent, began := status("VmRSS"), cpu(), time.Now()
	run()
	wall, spent := time.Since(began), cpu()-spent
	hwm, n := status("VmHWM"), float64(count*operations)
	fmt.Printf(`{"row": "%s", "n": %d, "ns": %.2f, "cpu_s": %.6f, "wall_s": %.4f, `+
		`"bytes": %.0f, "hwm_kb": %d, "pte_kb": %d}`+"\n", row, count*operations,
		float64(wall.Nanoseconds())/n, spent, wall.Seconds(), float64(hwm-rss)*1024/n, hwm,
		status("VmPTE"))
}

// The same numbers as every other program draws.
func draw(state *uint64) uint64 {
	*state ^= *state << 13
	*state ^= *state >> 7
	*state ^= *state << 17
	return *state
}

func switches() {
	var both sync.WaitGroup
	left := count
	for k := 0; k < 2; k++ {
		both.Add(1)
		go func() {
			for left > 0 {
				left--
				runtime.Gosched()
			}
			both.Done()
		}()
	}
	both.Wait()
}

func spawn() {
	done := make(chan struct{})
	for i := 0; i < count; i++ {
		go func() { done <- struct{}{} }()
		<-done
	}
}

func gather() {
	for round := 0; round < 10; round++ {
		var all sync.WaitGroup
		gate := make(chan struct{})
		all.Add(count / 10)
		for i := 0; i < count/10; i++ {
			go func() {
				<-gate
				all.Done()
			}()
		}
		runtime.Gosched()
		close(gate)
		all.Wait()
	}
}

func pingpong() {
	there, back := make(chan int, 1), make(chan int, 1)
	go func() {
		for i := 0; i < count; i++ {
			back <- <-there + 1
		}
	}()
	ball := 0
	for i := 0; i < count; i++ {
		there <- ball
		ball = <-back
	}
	if ball != count {
		panic("a ball was lost")
	}
}

func stream() {
	queue, sum := make(chan int, 1024), 0
	go func() {
		for i := 0; i < count; i++ {
			queue <- i
		}
	}()
	for i := 0; i < count; i++ {
		sum += <-queue
	}
	if sum != count*(count-1)/2 {
		panic("an item was lost")
	}
}

func waitfor() {
	ready := make(chan int)
	close(ready)
	for i := 0; i < count; i++ {
		limit, stop := context.WithTimeout(context.Background(), time.Second)
		select {
		case <-ready:
		case <-limit.Done():
			panic("late")
		}
		stop()
	}
}

func waitforYield() {
	go func() {
		for {
			runtime.Gosched()
		}
	}()
	for i := 0; i < count; i++ {
		_, stop := context.WithTimeout(context.Background(), time.Second)
		runtime.Gosched()
		stop()
	}
}

func sem() {
	permits := make(chan struct{}, 500)
	var all sync.WaitGroup
	all.Add(count)
	for i := 0; i < count; i++ {
		go func() {
			permits <- struct{}{}
			runtime.Gosched()
			<-permits
			all.Done()
		}()
	}
	all.Wait()
}

func sleep() {
	var all sync.WaitGroup
	all.Add(count)
	for i := 0; i < count; i++ {
		go func(i int) {
			dice := uint64(i+1)*2654435761 + 88172645463325252
			for k := 0; k < times; k++ {
				time.Sleep(time.Duration(draw(&dice)%1000000) * time.Microsecond)
			}
			all.Done()
		}(i)
	}
	all.Wait()
}

// Go starts a thread for whatever blocks. A pool as others have it: goroutines that own a thread.
func pool(threads int) chan func() {
	jobs := make(chan func(), 1024)
	for k := 0; k < threads; k++ {
		go func() {
			runtime.LockOSThread()
			for job := range jobs {
				job()
			}
		}()
	}
	return jobs
}

func executor() {
	jobs, done := pool(1), make(chan struct{})
	for i := 0; i < count; i++ {
		jobs <- func() { done <- struct{}{} }
		<-done
	}
}

func executorBatch() {
	jobs := pool(4)
	var all sync.WaitGroup
	all.Add(count)
	for i := 0; i < count; i++ {
		jobs <- all.Done
	}
	all.Wait()
}

// Each function has an outcome of its own to wait for.
func executorFutures() {
	jobs := pool(4)
	outcomes := make([]chan int, count)
	for i := range outcomes {
		outcome := make(chan int, 1)
		outcomes[i] = outcome
		jobs <- func() { outcome <- 0 }
	}
	for _, outcome := range outcomes {
		<-outcome
	}
}

// Runs a function in a thread that runs nothing else.
func inThread(run func()) {
	over := make(chan struct{})
	go func() {
		runtime.LockOSThread()
		run()
		close(over)
	}()
	<-over
}

func submit() {
	inThread(func() {
		done := make(chan struct{})
		for i := 0; i < count; i++ {
			go func() { done <- struct{}{} }()
			<-done
		}
	})
}

func submitBatch() {
	inThread(func() {
		var all sync.WaitGroup
		all.Add(count)
		for i := 0; i < count; i++ {
			go all.Done()
		}
		all.Wait()
	})
}

func echo(port int) {
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		panic(err)
	}
	for {
		client, err := listener.Accept()
		if err != nil {
			panic(err)
		}
		go func() {
			defer client.Close()
			buffer := make([]byte, 256*1024)
			for {
				n, err := client.Read(buffer)
				if err != nil {
					return
				}
				if _, err = client.Write(buffer[:n]); err != nil {
					return
				}
			}
		}()
	}
}

func main() {
	row := os.Args[1]
	count, _ = strconv.Atoi(os.Args[2])
	times = 1
	if row == "sleep100k" {
		times = 10
	}
	if len(os.Args) > 3 {
		times, _ = strconv.Atoi(os.Args[3])
	}
	rows := map[string]func(){
		"switch": switches, "spawn": spawn, "gather": gather, "pingpong": pingpong, "stream": stream,
		"waitfor": waitfor, "waitfor_yield": waitforYield, "sem": sem, "sleep100k": sleep,
		"sleep1m": sleep, "executor": executor, "executor_batch": executorBatch,
		"executor_futures": executorFutures, "submit": submit, "submit_batch": submitBatch,
	}
	operations := 1
	if row == "pingpong" {
		operations = 2
	}
	if row == "echo" {
		echo(count)
	} else if run, ok := rows[row]; ok {
		measured(row, operations, run)
	} else {
		os.Exit(2)
	}
}
