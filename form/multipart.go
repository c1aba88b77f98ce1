package form

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/textproto"
	"slices"
	"strings"
)

// maxDisposition bounds a Content-Disposition header, in bytes. There is room for a long name and a
// long file name.
const maxDisposition = 8 << 10

// maxPartHeader bounds the header of a part, with what is before it, in bytes. Package multipart would
// keep 10 MB of it. Browsers send two lines.
const maxPartHeader = 128 << 10

// readMultipart reads multipart/form-data part by part and skips files.
func (c *collector) readMultipart(src *source, boundary string) error {
	if boundary == "" {
		return fmt.Errorf("%w: the multipart boundary is missing", ErrMalformed)
	}
	parts := partReader{src: src, boundary: boundary, header: &headerReader{body: untilFinalBoundary(src)}}
	parts.Reader = multipart.NewReader(parts.header, boundary)
	for {
		part, err := parts.nextPart()
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

// untilFinalBoundary makes the end of src an error. Package multipart takes the end of a body
// within a part's headers for the end of the form; with untilFinalBoundary, only the final boundary
// ends it. The line break lets the final boundary be the last bytes of the body, as RFC 2046
// allows.
func untilFinalBoundary(src io.Reader) io.Reader {
	return io.MultiReader(src, strings.NewReader("\r\n"), cutShort{})
}

type cutShort struct{}

func (cutShort) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// partReader is a multipart reader with its source.
type partReader struct {
	*multipart.Reader
	src      *source
	header   *headerReader
	boundary string
	part     *multipart.Part // the current one; nil if it has been read
	value    bytes.Buffer
}

// nextPart reads the header of the next part. It first skips the rest of the part before.
func (r *partReader) nextPart() (*multipart.Part, error) {
	if r.part != nil {
		if _, err := io.Copy(io.Discard, r.part); err != nil {
			return nil, err
		}
	}
	r.header.begin()
	defer r.header.end()
	part, err := r.NextRawPart()
	r.part = part
	return part, err //nolint:wrapcheck // it is replaced by failure
}

// headerReader is a body of parts. It fails while a header has too many bytes.
type headerReader struct {
	body     io.Reader
	isHeader bool
	read     int
}

func (h *headerReader) begin() { h.isHeader, h.read = true, 0 }

func (h *headerReader) end() { h.isHeader = false }

var errLongHeader = errors.New("the header of a part is too long")

// Read implements [io.Reader].
func (h *headerReader) Read(p []byte) (int, error) {
	if h.isHeader && h.read > maxPartHeader {
		return 0, errLongHeader
	}
	n, err := h.body.Read(p)
	h.read += n
	return n, err //nolint:wrapcheck // readers compare with io.EOF
}

// beginning returns what was read of a value before the body ended, without half a character or
// the beginning of a boundary.
func (r *partReader) beginning() string {
	value := r.value.String()
	if at := strings.LastIndex(value, "\r\n--"); at >= 0 && strings.HasPrefix("\r\n--"+r.boundary, value[at:]) {
		value = value[:at]
	}
	return withoutHalf(value)
}

// readEpilogue reads everything after the final boundary, so that a body that is too large or cut
// short there is refused too.
func (r *partReader) readEpilogue() error {
	if _, err := io.Copy(io.Discard, r.src); err != nil {
		return r.failure()
	}
	return nil
}

// failure returns why the multipart reader stopped. It omits that reader's own error, which quotes
// the body.
func (r *partReader) failure() error {
	if r.src.err != nil && !errors.Is(r.src.err, io.ErrUnexpectedEOF) {
		return readError(r.src.err)
	}
	return fmt.Errorf("%w: the multipart body is invalid or ends before its final boundary", ErrMalformed)
}

func (c *collector) addPart(parts *partReader, part *multipart.Part) error {
	if name, isLong := longDisposition(part.Header); isLong {
		return c.skip(name, "")
	}
	input, err := parseDisposition(part.Header)
	switch {
	case err != nil:
		return err
	case input.name == "": // scripts send buttons and other controls without a name
		if hasRoom, err := c.count(c.limits.Needs == nil); !hasRoom {
			return cmp.Or(err, c.countSkipped())
		}
		return nil
	case input.file:
		return c.addFile(input)
	}
	own, err := partCharset(part.Header)
	if err != nil {
		return err
	}
	value, err := c.readValue(parts, part)
	if err != nil && !errors.Is(err, ErrTooLarge) {
		return err
	}
	return cmp.Or(c.keep(input.name, value, own), err)
}

// longDisposition reports whether a part's disposition is too long to be parsed. No input that a
// form needs has one: either its name is too long, or it is a file. The name is as much of it as
// may be logged.
func longDisposition(header textproto.MIMEHeader) (name string, isLong bool) {
	disposition := header.Get("Content-Disposition")
	if len(disposition) <= maxDisposition {
		return "", false
	}
	_, name, _ = strings.Cut(disposition[:maxDisposition], ` name="`)
	name, _, _ = strings.Cut(name, `"`)
	return name, true
}

// addFile records the name of a file input. The multipart reader skips the file on the way to the
// next part.
func (c *collector) addFile(input disposition) error {
	if hasRoom, err := c.count(c.limits.Needs == nil); !hasRoom || err != nil {
		return cmp.Or(err, c.skip(input.name, ""))
	}
	if len(input.name) > c.limits.Name && c.limits.Needs != nil {
		return c.skip(input.name, "")
	}
	if err := c.checkName(input.name); err != nil {
		return err
	}
	if input.chosen && !slices.Contains(c.form.Files, input.name) {
		c.form.Files = append(c.form.Files, input.name)
	}
	return nil
}

// readValue reads a value, and of one that is too long as much as may be kept and one byte more.
func (c *collector) readValue(parts *partReader, part *multipart.Part) (string, error) {
	parts.value.Reset()
	longest := c.longestValue()
	read, err := parts.value.ReadFrom(io.LimitReader(part, longest))
	if err != nil {
		return parts.beginning(), parts.failure()
	}
	if read < longest {
		parts.part = nil
	}
	return parts.value.String(), nil
}

// unescapeName undoes how browsers write three characters of a name in quotes
// (https://html.spec.whatwg.org/multipage/form-control-infrastructure.html#multipart-form-data). In a
// URL-encoded form the input has the same name.
var unescapeName = strings.NewReplacer("%22", `"`, "%0D", "\r", "%0A", "\n")

// disposition is the parsed Content-Disposition header of a part.
type disposition struct {
	name   string
	file   bool // the input is a file input
	chosen bool // a file was chosen
}

func parseDisposition(header textproto.MIMEHeader) (disposition, error) {
	lines := header["Content-Disposition"]
	if len(lines) != 1 {
		return disposition{}, fmt.Errorf("%w: a part does not have exactly one Content-Disposition header", ErrMalformed)
	}
	kind, params, err := mime.ParseMediaType(lines[0])
	name, hasName := params["name"]
	if err != nil || kind != "form-data" || !hasName {
		return disposition{}, fmt.Errorf("%w: a part's Content-Disposition is not form-data with a name", ErrMalformed)
	}
	name = unescapeName.Replace(name)
	filename, file := params["filename"]
	if !file && hasExtendedFilename(lines[0]) {
		return disposition{name: name, file: true, chosen: true}, nil
	}
	return disposition{name: name, file: file, chosen: filename != ""}, nil
}

// hasExtendedFilename reports whether header has a filename* parameter in any form of RFC 2231.
// Package mime drops one that it cannot decode, which would turn the file into a value. Without the
// star it is an ordinary parameter.
func hasExtendedFilename(header string) bool {
	if !strings.Contains(header, "*") {
		return false
	}
	_, params, err := mime.ParseMediaType(strings.ReplaceAll(header, "*", "."))
	if err != nil { // two parameters differ only in the star
		return true
	}
	for param := range params {
		if strings.HasPrefix(param, "filename.") {
			return true
		}
	}
	return false
}

// partCharset returns the encoding that a part declares for its value. It refuses transfer
// encodings that change the value instead of decoding them: no browser sends one, and RFC 7578
// section 4.7 deprecates them.
func partCharset(header textproto.MIMEHeader) (charset, error) {
	switch strings.ToLower(header.Get("Content-Transfer-Encoding")) {
	case "", "7bit", "8bit", "binary":
	default:
		return charset{}, fmt.Errorf("%w: a part has a Content-Transfer-Encoding; send values unencoded", ErrMalformed)
	}
	contentType := header.Get("Content-Type")
	if contentType == "" || len(contentType) > maxMediaType {
		return charset{}, nil
	}
	mediaType, params, err := parseMediaType(contentType)
	if err != nil {
		return charset{}, fmt.Errorf("%w: the content type of a part is invalid", ErrMalformed)
	}
	if strings.HasPrefix(mediaType, "multipart/") {
		return charset{}, fmt.Errorf("%w: a part is itself multipart; nested parts are not supported", ErrMalformed)
	}
	return declaredCharset(params)
}
