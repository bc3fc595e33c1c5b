//go:build programs

// Package tests names the Go programs that tests talk to, so that go.mod and go.sum hold their versions.
package tests

import (
	_ "github.com/summerwind/h2spec/cmd/h2spec"
	_ "google.golang.org/grpc/interop/client"
	_ "google.golang.org/grpc/interop/server"
)
