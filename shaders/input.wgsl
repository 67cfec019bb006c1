// What enters a stack: images minus a constant, and features followed by a one-hot label.

override BATCH: u32;
override VALUES: u32;        // values of one input
override CLASSES: u32 = 0u;  // classes of labels
override SHIFT: f32 = 0.0;

@group(0) @binding(0) var<storage, read> x: array<f32>;          // [BATCH, VALUES]
@group(0) @binding(1) var<storage, read_write> y: array<f32>;    // [BATCH, VALUES] or [BATCH, VALUES + CLASSES]
@group(0) @binding(2) var<storage, read> labels: array<u32>;     // [BATCH]
@group(0) @binding(3) var<storage, read> dy: array<f32>;         // [BATCH, VALUES + CLASSES]
@group(0) @binding(4) var<storage, read_write> dx: array<f32>;   // [BATCH, VALUES]
@group(0) @binding(5) var<storage, read> all_labels: array<u32>;           // of all images
@group(0) @binding(6) var<storage, read> indices: array<u32>;              // [BATCH]
@group(0) @binding(7) var<storage, read_write> batch_labels: array<u32>;   // [BATCH]

@compute @workgroup_size(64)
fn gather(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x < BATCH {
        batch_labels[id.x] = all_labels[indices[id.x]];
    }
}

@compute @workgroup_size(64)
fn shift(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x < VALUES && id.y < BATCH {
        y[id.y * VALUES + id.x] = x[id.y * VALUES + id.x] - SHIFT;
    }
}

@compute @workgroup_size(64)
fn condition(@builtin(global_invocation_id) id: vec3<u32>) {
    let width = VALUES + CLASSES;
    if id.x >= width || id.y >= BATCH {
        return;
    }
    let at = id.y * width + id.x;
    if id.x < VALUES {
        y[at] = x[id.y * VALUES + id.x];
    } else {
        y[at] = select(0.0, 1.0, id.x - VALUES == labels[id.y]);
    }
}

// The gradient of `condition`'s features.
@compute @workgroup_size(64)
fn uncondition(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x < VALUES && id.y < BATCH {
        dx[id.y * VALUES + id.x] = dy[id.y * (VALUES + CLASSES) + id.x];
    }
}
