import CKernels
import Glibc
import Synchronization
package import Tape

/// Files written so far: two threads' files aside have different names.
private let saves = Atomic<Int>(0)

/// Whole files: written aside and renamed, or read into memory.
package enum File {
  /// The file at `path` is whole or untouched. The path is bytes, as the system takes it.
  package static func write(_ path: UnsafePointer<CChar>, what: String, _ pieces: [UnsafeRawBufferPointer]) throws(Failure) {
    let suffix = ".\(getpid()).\(saves.wrappingAdd(1, ordering: .relaxed).oldValue).tmp"
    let aside = Array(UnsafeBufferPointer(start: path, count: strlen(path))) + suffix.utf8CString, shown = String(cString: path)
    guard let f = fopen(aside, "wb") else { throw Failure(.io, "\(what): cannot write \(shown): \(String(cString: strerror(errno)))") }
    var fine = true
    for p in pieces where p.count > 0 { fine = fine && fwrite(p.baseAddress, 1, p.count, f) == p.count }
    fine = fclose(f) == 0 && fine
    guard fine, rename(aside, path) == 0 else {
      let why = String(cString: strerror(errno))
      unlink(aside)
      throw Failure(.io, "\(what): cannot write \(shown): \(why)")
    }
  }

  /// The bytes of a regular file, in memory that the caller frees.
  static func read(_ file: UnsafePointer<CChar>, what: String) throws(Failure) -> UnsafeMutableRawBufferPointer {
    let path = String(cString: file)
    // Non-blocking: a pipe without a writer would be waited for.
    let descriptor = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0, let f = fdopen(descriptor, "rb") else {
      let why = String(cString: strerror(errno))
      if descriptor >= 0 { close(descriptor) }
      throw Failure(.io, "\(what): cannot read \(path): \(why)")
    }
    defer { fclose(f) }
    var info = stat()
    guard fstat(descriptor, &info) == 0, info.st_mode & S_IFMT == S_IFREG else { throw Failure(.io, "\(what): \(path) is no regular file") }
    let size = Int(info.st_size)
    guard let p = ck_alloc(max(size, 8)) else { throw Failure(.memory, "\(what): memory for \(size) bytes of \(path) was refused") }
    guard fread(p, 1, size, f) == size else {
      ck_free(p)
      throw Failure(.io, "\(what): \(path) could not be read to its end")
    }
    return UnsafeMutableRawBufferPointer(start: p, count: size)
  }
}

extension Archive {
  package func save(_ path: UnsafePointer<CChar>) throws(Failure) {
    let bytes = try encoded()
    try File.write(path, what: "archive", [UnsafeRawBufferPointer(start: bytes.base, count: bytes.count)])
  }

  package static func load(_ path: UnsafePointer<CChar>) throws(Failure) -> Archive {
    let file = try File.read(path, what: "archive")
    defer { ck_free(file.baseAddress) }
    do { return try Archive(decoding: UnsafeRawBufferPointer(file)) } catch {
      throw error.code == .io ? Failure(.io, "archive: \(String(cString: path)) \(error.message)") : error
    }
  }

  /// The same of bytes in memory.
  package static func unpack(_ bytes: UnsafeRawBufferPointer) throws(Failure) -> Archive {
    do { return try Archive(decoding: bytes) } catch {
      throw error.code == .io ? Failure(.io, "archive: the file in memory \(error.message)") : error
    }
  }

  /// A function as a program, under its options.
  package func program(_ name: String) throws(Failure) -> Program {
    guard let i = index(name) else { throw unknown(name) }
    let f = functions[i], p = try Program(f.tape, inputs: f.inputs, outputs: f.outputs)
    for o in f.options { if let wrong = p.set(o.name, o.value) { throw wrong } }
    for a in f.aliases { if let wrong = p.alias(output: a.output, input: a.input) { throw wrong } }
    return p
  }

  /// An option of the program made of a function; refused where no program takes it.
  package func set(_ function: String, _ option: String, _ value: Double) throws(Failure) {
    if let wrong = try Program(Tape(), inputs: [], outputs: []).set(option, value) { throw wrong }
    try set(function, option: option, value)
  }
}
