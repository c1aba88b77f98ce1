package form

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"mime"
	"mime/multipart"
	"net/textproto"
	"slices"
	"strings"
)

const (
	maxBoundary        = 70      // characters, RFC 2046 section 5.1.1
	maxPartHeaders     = 16      // browsers send two at most
	maxPartHeaderBytes = 8 << 10 // of which a long name and a long file name take the most
)

// readMultipart reads multipart/form-data part by part; a file goes by without being kept.
func (c *collector) readMultipart(src *source, boundary string) error {
	if boundary == "" || len(boundary) > maxBoundary {
		return fmt.Errorf("%w: the multipart boundary is missing or has more than %d characters", ErrMalformed, maxBoundary)
	}
	parts := partReader{src: src, Reader: multipart.NewReader(unfinished(src), boundary)}
	for {
		part, err := parts.NextRawPart()
		if err == io.EOF {
			return parts.readEpilogue()
		}
		if err != nil {
			return parts.failure()
		}
		if err := c.addPart(&parts, part); err != nil {
			return err
		}
	}
}

// unfinished makes the end of src an error. Package multipart takes the end of a body within the headers of a part for
// the proper end of the form; after this only the final boundary is one. The line break lets the final boundary be the
// very last bytes of the body, as RFC 2046 has it.
func unfinished(src io.Reader) io.Reader {
	return io.MultiReader(src, strings.NewReader("\r\n"), cutShort{})
}

type cutShort struct{}

func (cutShort) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// partReader is a multipart reader with the source it reads from.
type partReader struct {
	*multipart.Reader
	src   *source
	value bytes.Buffer
}

// readEpilogue reads what follows the final boundary, so that a body is too large or cut short wherever its surplus or
// its gap is.
func (r *partReader) readEpilogue() error {
	if _, err := io.Copy(io.Discard, r.src); err != nil {
		return r.failure()
	}
	return nil
}

// failure says why the multipart reader stopped. It leaves out that reader's own error, which quotes the body.
func (r *partReader) failure() error {
	if r.src.err != nil && !errors.Is(r.src.err, io.ErrUnexpectedEOF) {
		return readError(r.src.err)
	}
	return fmt.Errorf("%w: the multipart body is broken or ends before its final boundary", ErrMalformed)
}

func (c *collector) addPart(parts *partReader, part *multipart.Part) error {
	if err := c.countField(); err != nil {
		return err
	}
	if err := checkPartHeaders(part.Header); err != nil {
		return err
	}
	input, err := parseDisposition(part.Header)
	if err != nil {
		return err
	}
	if input.file {
		return c.addFile(input)
	}
	own, err := partCharset(part.Header)
	if err != nil {
		return err
	}
	value, err := c.readValue(parts, part)
	if err != nil {
		return err
	}
	return c.keep(input.name, value, own)
}

func checkPartHeaders(header textproto.MIMEHeader) error {
	var lines, size int
	for key, values := range header {
		for _, value := range values {
			lines++
			size += len(key) + len(value)
		}
	}
	if lines > maxPartHeaders || size > maxPartHeaderBytes {
		return fmt.Errorf("%w: a part has more than %d headers or %d bytes of them", ErrMalformed, maxPartHeaders, maxPartHeaderBytes)
	}
	return nil
}

// addFile notes a file; the multipart reader skips its bytes on the way to the next part.
func (c *collector) addFile(input disposition) error {
	if err := c.checkName(input.name); err != nil {
		return err
	}
	if input.chosen && !slices.Contains(c.form.Files, input.name) {
		c.form.Files = append(c.form.Files, input.name)
	}
	return nil
}

// readValue reads as much of a value as may be kept of one that is too long, and a byte more to notice that there is.
func (c *collector) readValue(parts *partReader, part *multipart.Part) (string, error) {
	parts.value.Reset()
	most := max(int64(c.limits.Value), int64(MaxKept-c.kept))
	_, err := parts.value.ReadFrom(io.LimitReader(part, most+min(1, math.MaxInt64-most)))
	if err != nil {
		return "", parts.failure()
	}
	return parts.value.String(), nil
}

// disposition is what the Content-Disposition header of a part says about its input.
type disposition struct {
	name   string
	file   bool // it is a file input
	chosen bool // and a file was chosen in it
}

func parseDisposition(header textproto.MIMEHeader) (disposition, error) {
	lines := header["Content-Disposition"]
	if len(lines) != 1 {
		return disposition{}, fmt.Errorf("%w: a part does not have exactly one Content-Disposition header", ErrMalformed)
	}
	kind, params, err := mime.ParseMediaType(lines[0])
	if err != nil || kind != "form-data" || params["name"] == "" {
		return disposition{}, fmt.Errorf("%w: the Content-Disposition header of a part is not form-data with a name", ErrMalformed)
	}
	filename, file := params["filename"]
	if !file && hasExtendedFilename(lines[0]) {
		return disposition{name: params["name"], file: true, chosen: true}, nil
	}
	return disposition{name: params["name"], file: file, chosen: filename != ""}, nil
}

// hasExtendedFilename reports whether header has a filename* parameter in any of the forms of RFC 2231. Package mime
// drops one that it cannot decode, which would make the file a value; without the star it is an ordinary parameter.
func hasExtendedFilename(header string) bool {
	if !strings.Contains(header, "*") {
		return false
	}
	_, params, err := mime.ParseMediaType(strings.ReplaceAll(header, "*", "."))
	if err != nil { // two parameters differed in the star alone
		return true
	}
	for param := range params {
		if strings.HasPrefix(param, "filename.") {
			return true
		}
	}
	return false
}

// partCharset returns the encoding that a part declares for its value. A transfer encoding other than the three that
// change nothing is not undone: no browser sends one, RFC 7578 section 4.7 deprecates them, and to keep the encoded text
// would be to keep a wrong value.
func partCharset(header textproto.MIMEHeader) (charset, error) {
	switch strings.ToLower(header.Get("Content-Transfer-Encoding")) {
	case "", "7bit", "8bit", "binary":
	default:
		return charset{}, fmt.Errorf("%w: a part has a Content-Transfer-Encoding; send values as they are", ErrMalformed)
	}
	contentType := header.Get("Content-Type")
	if contentType == "" {
		return charset{}, nil
	}
	mediaType, params, err := parseMediaType(contentType)
	if err != nil {
		return charset{}, fmt.Errorf("%w: the content type of a part is unreadable", ErrMalformed)
	}
	if strings.HasPrefix(mediaType, "multipart/") {
		return charset{}, fmt.Errorf("%w: a part is itself multipart; nested parts are not read", ErrMalformed)
	}
	return declaredCharset(params)
}
