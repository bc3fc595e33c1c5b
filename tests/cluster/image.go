package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"sort"
	"strings"

	"github.com/spf13/cobra"
)

// image writes a container image of one layer, out of programs and files of this machine: no registry and no builder is needed.
func image() *cobra.Command {
	made := &imageOf{files: map[string]file{}}
	var out string
	var programs, plain, links []string
	command := &cobra.Command{
		Use:           "image",
		Short:         "Write a container image of programs and files of this machine",
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE: func(*cobra.Command, []string) error {
			for _, program := range programs {
				if err := made.program(split(program)); err != nil {
					return err
				}
			}
			for _, name := range plain {
				from, to := split(name)
				if err := made.copy(from, to); err != nil {
					return err
				}
			}
			for _, link := range links {
				to, at := split(link)
				made.files[strings.TrimPrefix(at, "/")] = file{link: to}
			}
			return made.write(out)
		},
	}
	flags := command.Flags()
	flags.StringVar(&made.name, "name", "", "what it is called, with its tag")
	flags.StringVar(&out, "out", "", "the file it is written to")
	flags.StringArrayVar(&programs, "program", nil, "FROM[:TO]: a program, with the libraries it needs")
	flags.StringArrayVar(&plain, "file", nil, "FROM[:TO]: a file, or a folder with all that is in it")
	flags.StringArrayVar(&links, "link", nil, "TO:AT: a symbolic link")
	flags.StringArrayVar(&made.entrypoint, "entrypoint", nil, "what is run")
	flags.StringVar(&made.user, "user", "", "as whom")
	return command
}

type imageOf struct {
	name, user string
	entrypoint []string
	files      map[string]file
}

type file struct {
	data []byte
	mode int64
	link string
}

func split(text string) (string, string) {
	from, to, found := strings.Cut(text, ":")
	if !found {
		to = from
	}
	return from, to
}

var library = regexp.MustCompile(`(?:=>\s+)?(/\S+)\s+\(0x`)

func (i *imageOf) program(from, to string) error {
	if err := i.copy(from, to); err != nil {
		return err
	}
	// A static program has none.
	needs, _ := exec.Command("ldd", from).Output()
	for _, match := range library.FindAllStringSubmatch(string(needs), -1) {
		if err := i.copy(match[1], match[1]); err != nil {
			return err
		}
	}
	return nil
}

func (i *imageOf) copy(from, to string) error {
	return filepath.Walk(from, func(found string, _ os.FileInfo, err error) error {
		if err != nil {
			return err
		}
		// What is a link here is a file there.
		info, err := os.Stat(found)
		if err != nil || info.IsDir() {
			return err
		}
		data, err := os.ReadFile(found)
		if err != nil {
			return err
		}
		below, err := filepath.Rel(from, found)
		if err != nil {
			return err
		}
		i.files[strings.TrimPrefix(path.Join(to, below), "/")] = file{data: data, mode: int64(info.Mode().Perm())}
		return nil
	})
}

// layer is the files, and the folders that they are in.
func (i *imageOf) layer() ([]byte, error) {
	folders := map[string]int64{"tmp": 0o1777, "etc": 0o755, "proc": 0o755, "sys": 0o755, "dev": 0o755, "var/run": 0o755}
	for name := range i.files {
		for folder := path.Dir(name); folder != "."; folder = path.Dir(folder) {
			if _, known := folders[folder]; !known {
				folders[folder] = 0o755
			}
		}
	}
	var raw bytes.Buffer
	writer := tar.NewWriter(&raw)
	for _, name := range sorted(folders) {
		header := &tar.Header{Typeflag: tar.TypeDir, Name: name + "/", Mode: folders[name]}
		if err := writer.WriteHeader(header); err != nil {
			return nil, err
		}
	}
	for _, name := range sorted(i.files) {
		of := i.files[name]
		header := &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: of.mode, Size: int64(len(of.data))}
		if of.link != "" {
			header = &tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: of.link, Mode: 0o777}
		}
		if err := writer.WriteHeader(header); err != nil {
			return nil, err
		}
		if _, err := writer.Write(of.data); err != nil {
			return nil, err
		}
	}
	return raw.Bytes(), writer.Close()
}

// write writes it in the layout of the Open Container Initiative, as containerd imports it.
func (i *imageOf) write(out string) error {
	raw, err := i.layer()
	if err != nil {
		return err
	}
	var packed bytes.Buffer
	zip, err := gzip.NewWriterLevel(&packed, gzip.BestSpeed)
	if err != nil {
		return err
	}
	if _, err := zip.Write(raw); err != nil {
		return err
	}
	if err := zip.Close(); err != nil {
		return err
	}
	config := encoded(map[string]any{
		"architecture": runtime.GOARCH,
		"os":           "linux",
		"config": map[string]any{
			"Entrypoint": i.entrypoint,
			"User":       i.user,
			"Env":        []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
		},
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{digest(raw)}},
	})
	manifest := encoded(map[string]any{
		"schemaVersion": 2,
		"mediaType":     "application/vnd.oci.image.manifest.v1+json",
		"config":        described("application/vnd.oci.image.config.v1+json", config),
		"layers":        []any{described("application/vnd.oci.image.layer.v1.tar+gzip", packed.Bytes())},
	})
	entry := described("application/vnd.oci.image.manifest.v1+json", manifest)
	entry["annotations"] = map[string]string{"io.containerd.image.name": i.name, "org.opencontainers.image.ref.name": i.name}
	entry["platform"] = map[string]string{"architecture": runtime.GOARCH, "os": "linux"}
	index := encoded(map[string]any{"schemaVersion": 2, "manifests": []any{entry}})
	files := map[string][]byte{"oci-layout": []byte(`{"imageLayoutVersion":"1.0.0"}`), "index.json": index}
	for _, blob := range [][]byte{packed.Bytes(), config, manifest} {
		files["blobs/sha256/"+strings.TrimPrefix(digest(blob), "sha256:")] = blob
	}
	to, err := os.Create(out)
	if err != nil {
		return err
	}
	defer to.Close()
	writer := tar.NewWriter(to)
	for _, name := range sorted(files) {
		if err := writer.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(files[name]))}); err != nil {
			return err
		}
		if _, err := writer.Write(files[name]); err != nil {
			return err
		}
	}
	return writer.Close()
}

func described(kind string, blob []byte) map[string]any {
	return map[string]any{"mediaType": kind, "digest": digest(blob), "size": len(blob)}
}

func digest(blob []byte) string {
	sum := sha256.Sum256(blob)
	return "sha256:" + hex.EncodeToString(sum[:])
}

func encoded(value any) []byte {
	text, err := json.Marshal(value)
	if err != nil {
		panic(fmt.Sprintf("%v has no JSON form: %v", value, err))
	}
	return text
}

func sorted[T any](named map[string]T) []string {
	names := make([]string, 0, len(named))
	for name := range named {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}
