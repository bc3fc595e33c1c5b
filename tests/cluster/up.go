package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"github.com/spf13/cobra"
)

// up brings a cluster up, says how to reach it, and takes it down when it is told to, or when nobody holds its standard input
// any more.
func up() *cobra.Command {
	var folder string
	var level int
	var images []string
	command := &cobra.Command{
		Use:           "up",
		Short:         "Bring a cluster up, until standard input ends",
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE: func(*cobra.Command, []string) error {
			// Children end with the thread that made them.
			runtime.LockOSThread()
			return bringUp(folder, level, images)
		},
	}
	flags := command.Flags()
	flags.StringVar(&folder, "folder", "", "where its state is; it must be empty or not there")
	flags.IntVar(&level, "level", 1, "1: API server and controllers; 2: a node besides, for pods that run")
	flags.StringArrayVar(&images, "image", nil, "a file of the verb image, for the node")
	return command
}

func bringUp(folder string, level int, images []string) error {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	if len(entries) > 0 {
		return fmt.Errorf("%s is not empty", folder)
	}
	folder, err = filepath.Abs(folder)
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	cluster, stop := newCluster(folder)
	defer stop()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cluster.cancel(nil)
	}()
	kubeconfig := cluster.path("admin.kubeconfig")
	switch level {
	case 1:
		err = cluster.alone()
	case 2:
		defer func() {
			stop()
			sweep()
		}()
		kubeconfig = cluster.path("outside.kubeconfig")
		err = cluster.withNode(images)
	default:
		err = fmt.Errorf("there is no level %d", level)
	}
	if err != nil {
		return err
	}
	// Whoever started us waits for this line.
	fmt.Println("KUBECONFIG=" + kubeconfig)
	<-cluster.ctx.Done()
	if cause := context.Cause(cluster.ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	return nil
}

// newCluster is one without processes, until it is stopped or somebody ends us.
func newCluster(folder string) (*cluster, func()) {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	ctx, cancel := context.WithCancelCause(ctx)
	made := &cluster{folder: folder, ctx: ctx, cancel: cancel}
	return made, func() {
		made.end()
		stop()
	}
}

// cluster is the processes of one cluster, and where they keep what they write.
type cluster struct {
	folder    string
	ctx       context.Context
	cancel    context.CancelCauseFunc
	processes []*process
	pki       *pki
}

type process struct {
	name    string
	command *exec.Cmd
	ended   chan struct{}
}

// start starts one of our own programs, or of the machine's.
func (c *cluster) start(program string, arguments ...string) error {
	return c.startIn(0, program, arguments...)
}

// startIn is the same in new namespaces.
func (c *cluster) startIn(namespaces uintptr, program string, arguments ...string) error {
	path := program
	if programs[program] != nil {
		self, err := os.Executable()
		if err != nil {
			return err
		}
		path, arguments = self, append([]string{program}, arguments...)
	}
	log, err := os.Create(c.path(filepath.Base(program) + ".log"))
	if err != nil {
		return err
	}
	defer log.Close()
	command := exec.Command(path, arguments...)
	command.Stdout, command.Stderr = log, log
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Cloneflags: namespaces}
	if err := command.Start(); err != nil {
		return fmt.Errorf("%s: %w", program, err)
	}
	started := &process{name: program, command: command, ended: make(chan struct{})}
	c.processes = append(c.processes, started)
	go func() {
		err := command.Wait()
		close(started.ended)
		c.cancel(fmt.Errorf("%s has ended: %v; it last said: %s", program, err, lastLine(log.Name())))
	}()
	return nil
}

// end ends all processes, the youngest first.
func (c *cluster) end() {
	for index := len(c.processes) - 1; index >= 0; index-- {
		process := c.processes[index]
		_ = process.command.Process.Signal(syscall.SIGTERM)
		select {
		case <-process.ended:
		case <-time.After(5 * time.Second):
			_ = process.command.Process.Kill()
			<-process.ended
		}
	}
}

func (c *cluster) path(file string) string {
	return filepath.Join(c.folder, file)
}

// wait asks again and again until ask has no error.
func (c *cluster) wait(what string, patience time.Duration, ask func() error) error {
	deadline := time.Now().Add(patience)
	for {
		err := ask()
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s: %w", what, err)
		}
		select {
		case <-c.ctx.Done():
			return fmt.Errorf("%s: %w", what, context.Cause(c.ctx))
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// nextPort is where the next port is looked for: somewhere else in every process.
var nextPort = rand.IntN(12000)

// freePort is one that nobody listens on now, and another each time. It is below those that the kernel gives to outgoing connections (32768
// and more, unless ip_local_port_range says otherwise): one of these might have it before it is listened on, and between the two the whole
// API server comes up.
func freePort() (string, error) {
	var err error
	for range 12000 {
		port := strconv.Itoa(20000 + nextPort%12000)
		nextPort++
		var listener net.Listener
		if listener, err = net.Listen("tcp", net.JoinHostPort("127.0.0.1", port)); err == nil {
			return port, listener.Close()
		}
	}
	return "", err
}

func lastLine(path string) string {
	file, err := os.Open(path)
	if err != nil {
		return err.Error()
	}
	defer file.Close()
	last := "nothing"
	for lines := bufio.NewScanner(file); lines.Scan(); {
		last = lines.Text()
	}
	return last
}
