# What a snippet of docs/formats.md has left, against the files of `encode` and `decode`.


def agree(name, found, file, limit=1e-5):
    found, expected = np.asarray(found), np.load(file)
    assert found.shape == expected.shape, f"{name} has the shape {found.shape}, not {expected.shape}"
    error = np.abs(found - expected).max()
    assert error < limit, f"{name} is off by {error}"
    print(f"{name}: {found.shape}, off by {error:.1e}")


agree("codes", np.concatenate([mean, logvar], axis=1), "codes.npy")
agree("probabilities", probabilities, "decoded.npy")
